//! Work of every kind that a pool does, whose results are known beforehand.
//!
//! A task walks some steps of a linear congruential generator, one by one, and
//! the test jumps to where it must arrive (Brown, "Random number generation
//! with arbitrary strides", 1994): so checking costs next to nothing.

use std::iter::successors;

use multiproc::{
    Result,
    pool::{Bulk, Call, Pool},
};

/// What became of some tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) tasks: u64,
    /// Their results are not what they must be.
    pub(super) wrong: u64,
    /// They have no results.
    pub(super) lost: u64,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.tasks += other.tasks;
        self.wrong += other.wrong;
        self.lost += other.lost;
    }

    /// Of tasks of which each has one of the results, in their order.
    fn of<R: PartialEq>(what: &str, expected: &[R], results: Result<Vec<R>>) -> Self {
        let results = results.unwrap_or_else(|error| {
            eprintln!("{what}: {error}");
            Vec::new()
        });
        let wrong = expected.iter().zip(&results).filter(|(expected, result)| expected != result);
        Self {
            tasks: expected.len() as u64,
            wrong: (wrong.count() + results.len().saturating_sub(expected.len())) as u64,
            lost: expected.len().saturating_sub(results.len()) as u64,
        }
    }
}

/// The maps of a round, and the arrays that some of them work on.
pub(super) struct Rounds<T: Bulk> {
    numbers: T::Array<u64>,
    others: T::Array<u64>,
    done: u64,
}

/// A worker is killed some five times a second, a task takes milliseconds at
/// most: so often nobody is hit.
const RETRIES: u32 = 1_000;

const ARRAY_LEN: usize = 64 * 1024;

impl<T: Bulk> Rounds<T> {
    pub(super) fn new(pool: &Pool<T>) -> Result<Self> {
        Ok(Self { numbers: pool.array(ARRAY_LEN)?, others: pool.array(ARRAY_LEN)?, done: 0 })
    }

    /// One call of every kind, with other arguments each time. They are some
    /// 50 ms of work for two cores.
    pub(super) fn go(&mut self, pool: &Pool<T>) -> Tally {
        self.done += 1;
        // Far apart, so that no two rounds have results in common.
        let seed = jump(self.done, 1 << 40);
        let call = pool.call().retries(RETRIES);
        let mut tally = Tally::default();
        for part in [short, star, streamed, streamed_as_they_end, long] {
            tally.add(part(&call, seed));
        }
        tally.add(large_results(&call, seed));
        tally.add(large_arguments(&call, seed));
        tally.add(self.in_place(&call, seed));
        tally.add(self.out_of_place(&call, seed));
        tally
    }

    fn in_place(&mut self, call: &Call<'_, T>, seed: u64) -> Tally {
        const CHUNK_LEN: usize = 1000;
        fill(&mut self.numbers, seed);
        let expected: Vec<u64> = self.numbers.iter().map(|&x| mark(20, x)).collect();
        let changed = call.for_each_chunk(&mut self.numbers, CHUNK_LEN, 20, mark_chunk);
        of_chunks("in place", &expected, changed.map(|()| &*self.numbers), CHUNK_LEN)
    }

    fn out_of_place(&mut self, call: &Call<'_, T>, seed: u64) -> Tally {
        const CHUNK_LEN: usize = 10_000;
        fill(&mut self.numbers, step(seed));
        self.others.fill(0);
        let map = |steps: u64, from: &[u64], to: &mut [u64]| {
            from.iter().zip(to).for_each(|(&from, to)| *to = walk_on(from, steps));
        };
        let mapped = call.map_chunks(&self.numbers, &mut self.others, CHUNK_LEN, 20, map);
        let expected: Vec<u64> = self.numbers.iter().map(|&x| jump(x, 20)).collect();
        of_chunks("out of place", &expected, mapped.map(|()| &*self.others), CHUNK_LEN)
    }
}

/// A chunk is a task.
fn of_chunks(what: &str, expected: &[u64], results: Result<&[u64]>, chunk_len: usize) -> Tally {
    let chunks = |of: &[u64]| of.chunks(chunk_len).map(<[u64]>::to_vec).collect::<Vec<_>>();
    Tally::of(what, &chunks(expected), results.map(chunks))
}

fn short<T: Bulk>(call: &Call<'_, T>, seed: u64) -> Tally {
    let numbers = || walk(seed).take(4_000);
    let expected: Vec<u64> = numbers().map(|x| jump(x, 500)).collect();
    Tally::of("map", &expected, call.map(|x: u64| walk_on(x, 500), numbers()))
}

fn star<T: Bulk>(call: &Call<'_, T>, seed: u64) -> Tally {
    let pairs = || walk(seed).zip((0..400).map(|i| i * 100));
    let expected: Vec<u64> = pairs().map(|(x, steps)| jump(x, steps)).collect();
    Tally::of("starmap", &expected, call.starmap(walk_on, pairs()))
}

fn streamed<T: Bulk>(call: &Call<'_, T>, seed: u64) -> Tally {
    let numbers = || walk(seed).take(400);
    let expected: Vec<u64> = numbers().map(|x| jump(x, 20_000)).collect();
    Tally::of("imap", &expected, call.imap(|x: u64| walk_on(x, 20_000), numbers()).collect())
}

fn streamed_as_they_end<T: Bulk>(call: &Call<'_, T>, seed: u64) -> Tally {
    let numbers = || walk(seed).take(400).enumerate();
    let expected: Vec<(usize, u64)> = numbers().map(|(i, x)| (i, jump(x, 20_000))).collect();
    let results = call.imap_unordered(|(i, x): (usize, u64)| (i, walk_on(x, 20_000)), numbers());
    let sorted = results.collect::<Result<Vec<_>>>().map(|mut results| {
        results.sort_unstable();
        results
    });
    Tally::of("imap_unordered", &expected, sorted)
}

/// Tasks that are hit in their middle, in two jobs at a time.
fn long<T: Bulk>(call: &Call<'_, T>, seed: u64) -> Tally {
    const STEPS: u64 = 2_000_000;
    let numbers = || walk(seed).take(12);
    let expected: Vec<u64> = numbers().map(|x| jump(x, STEPS)).collect();
    let map = call.map_async(|x: u64| walk_on(x, STEPS), numbers());
    let single = call.apply_async(|x: u64| walk_on(x, STEPS), seed);
    let mut tally = Tally::of("map_async", &expected, map.get());
    let result = single.get().map(|result| vec![result]);
    tally.add(Tally::of("apply_async", &[jump(seed, STEPS)], result));
    tally
}

/// Of some 150 kB each, more than fits into a reply of one write.
const LARGE: usize = 16 * 1024;

fn large_results<T: Bulk>(call: &Call<'_, T>, seed: u64) -> Tally {
    let numbers = || walk(seed).take(24);
    let expected: Vec<Vec<u64>> = numbers().map(|x| walk(x).take(LARGE).collect()).collect();
    let results = call.map(|x: u64| walk(x).take(LARGE).collect::<Vec<_>>(), numbers());
    Tally::of("map to large results", &expected, results)
}

fn large_arguments<T: Bulk>(call: &Call<'_, T>, seed: u64) -> Tally {
    let lists = || walk(seed).take(24).map(|x| walk(x).take(LARGE).collect::<Vec<_>>());
    let expected: Vec<u64> = lists().map(|list| sum(&list)).collect();
    Tally::of("map of large arguments", &expected, call.map(|list: Vec<u64>| sum(&list), lists()))
}

fn sum(list: &[u64]) -> u64 {
    list.iter().fold(0, |sum, &x| sum.wrapping_add(x))
}

/// The generator of Knuth's MMIX: x → a·x + c modulo 2⁶⁴.
const FACTOR: u64 = 6_364_136_223_846_793_005;
const SUMMAND: u64 = 1_442_695_040_888_963_407;

fn step(x: u64) -> u64 {
    x.wrapping_mul(FACTOR).wrapping_add(SUMMAND)
}

fn walk(from: u64) -> impl Iterator<Item = u64> {
    successors(Some(from), |&x| Some(step(x)))
}

fn walk_on(from: u64, steps: u64) -> u64 {
    (0..steps).fold(from, |x, _| step(x))
}

/// Where [`walk_on`] arrives, in a number of operations that is logarithmic in
/// that of the steps.
fn jump(from: u64, mut steps: u64) -> u64 {
    // Of 2ⁱ steps, and of those that are counted so far.
    let (mut factor, mut summand) = (FACTOR, SUMMAND);
    let (mut all_factor, mut all_summand) = (1u64, 0u64);
    while steps > 0 {
        if steps & 1 == 1 {
            all_factor = all_factor.wrapping_mul(factor);
            all_summand = all_summand.wrapping_mul(factor).wrapping_add(summand);
        }
        summand = summand.wrapping_mul(factor.wrapping_add(1));
        factor = factor.wrapping_mul(factor);
        steps >>= 1;
    }
    from.wrapping_mul(all_factor).wrapping_add(all_summand)
}

fn fill(array: &mut [u64], seed: u64) {
    array.iter_mut().zip(walk(seed)).for_each(|(element, x)| *element = x & !DONE);
}

/// Of an element that was changed. A task that works in place may find some of
/// its work done, by one that was killed.
const DONE: u64 = 1 << 63;

fn mark(steps: u64, x: u64) -> u64 {
    jump(x, steps) | DONE
}

fn mark_chunk(steps: u64, chunk: &mut [u64]) {
    for element in chunk.iter_mut().filter(|element| **element & DONE == 0) {
        *element = walk_on(*element, steps) | DONE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_arrives_where_a_walk_does() {
        for steps in [0, 1, 2, 3, 7, 100, 20_000] {
            assert_eq!(jump(42, steps), walk_on(42, steps), "{steps}");
        }
        assert_eq!(walk(42).nth(100), Some(jump(42, 100)));
    }

    #[test]
    fn work_in_place_may_be_begun_again_anywhere() {
        let mut chunk: Vec<u64> = walk(1).take(10).map(|x| x & !DONE).collect();
        let expected: Vec<u64> = chunk.iter().map(|&x| mark(5, x)).collect();
        mark_chunk(5, &mut chunk[..4]);
        mark_chunk(5, &mut chunk);
        assert_eq!(chunk, expected);
    }

    #[test]
    fn what_is_wrong_and_what_is_lost_is_counted() {
        let tally = |results: &[u64]| Tally::of("test", &[1, 2, 3], Ok(results.to_vec()));
        assert_eq!(tally(&[1, 2, 3]), Tally { tasks: 3, wrong: 0, lost: 0 });
        assert_eq!(tally(&[1, 3]), Tally { tasks: 3, wrong: 1, lost: 1 });
        assert_eq!(tally(&[1, 2, 3, 4]), Tally { tasks: 3, wrong: 1, lost: 0 });
        let failed = Tally::of("test", &[1, 2], Err(multiproc::Error::TimedOut));
        assert_eq!(failed, Tally { tasks: 2, wrong: 0, lost: 2 });
    }
}
