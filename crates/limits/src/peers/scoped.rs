//! Scoped threads of the standard library: an equal share each.

use std::thread;

use crate::machine::{WORKERS, pin};

/// Calls `f` with every chunk of `chunk_len` elements, on two threads that are
/// started for it: this one and another.
pub(crate) fn for_each_chunk(
    elements: &mut [u64],
    chunk_len: usize,
    cores: Option<[usize; WORKERS]>,
    f: impl Fn(&mut [u64]) + Copy + Send,
) {
    let half = elements.len().div_ceil(chunk_len).div_ceil(WORKERS) * chunk_len;
    let (mine, theirs) = elements.split_at_mut(half.min(elements.len()));
    thread::scope(|scope| {
        scope.spawn(move || {
            if let Some(cores) = cores {
                pin(cores[1]);
            }
            theirs.chunks_mut(chunk_len).for_each(f);
        });
        mine.chunks_mut(chunk_len).for_each(f);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chunk_is_visited_once_whatever_the_length() {
        for len in [0, 1, 5, 9, 10, 11, 99] {
            let mut elements = vec![1; len];
            for_each_chunk(&mut elements, 5, None, |chunk| {
                assert!(chunk.len() <= 5);
                chunk.iter_mut().for_each(|x| *x += 1);
            });
            assert_eq!(elements, vec![2; len]);
        }
    }
}
