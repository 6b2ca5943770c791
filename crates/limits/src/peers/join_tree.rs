//! `chili`: a tree of joins whose leaves are the tasks. Its threads cannot be
//! pinned; the one that asks is one of them.

use std::num::NonZeroUsize;

use chili::{Config, Scope, ThreadPool};

use crate::machine::WORKERS;

/// A pool of two threads, of which the caller is one.
pub(crate) fn pool() -> ThreadPool {
    ThreadPool::with_config(Config {
        thread_count: NonZeroUsize::new(WORKERS),
        ..Config::default()
    })
}

/// Calls `f` with every element, each a leaf.
pub(crate) fn for_each(scope: &mut Scope<'_>, elements: &mut [u64], f: fn(u64) -> u64) {
    match elements {
        [] => (),
        [one] => *one = f(*one),
        _ => {
            let (left, right) = elements.split_at_mut(elements.len() / 2);
            scope.join(|scope| for_each(scope, left, f), |scope| for_each(scope, right, f));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::square;

    #[test]
    fn every_leaf_is_visited_once() {
        let mut elements: Vec<u64> = (0..1_000).collect();
        for_each(&mut pool().scope(), &mut elements, square);
        assert!(elements.iter().zip(0..).all(|(&x, i)| x == i * i));
    }
}
