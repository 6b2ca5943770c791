//! What a block's share of the memory has room for.

use harness::{
    FailureKind, Strategy,
    protocol::Phase,
    record::{BlockRecord, Failure},
};

use crate::{backends, environment};

/// The configurations of `block` that are not to be run since there is no room for
/// them in this share of the memory that is available now, and what to say of each.
/// Of every configuration so many `runners` are alive at once.
pub(crate) fn without_room(block: &BlockRecord, runners: u64, share: f64) -> Vec<(usize, Failure)> {
    let Some(available) = environment::available_memory() else { return Vec::new() };
    let limit = (available as f64 * share) as u64;
    let skipped = |(index, need)| {
        let [need, limit, available] = [need, limit, available].map(|bytes| bytes >> 20);
        let message = format!(
            "not run: it needs {need} MiB beside the others, and the block may use {limit} of {available} MiB\nhelp: free memory, raise `memory_share` or choose a smaller size"
        );
        (index, Failure { kind: FailureKind::Skipped, phase: Phase::Load, message })
    };
    beyond(block, runners, limit).into_iter().map(skipped).collect()
}

/// A block's cells that do not fit beside the others.
///
/// Every configuration of a block holds its buffers at the same time. They
/// are admitted in their order, the baseline first, as long as there is room
/// within `limit_bytes`; the indices of the rest are returned with what each needs.
fn beyond(block: &BlockRecord, runners: u64, limit_bytes: u64) -> Vec<(usize, u64)> {
    let payload = (block.job.payload_bytes() as u64).saturating_mul(runners);
    let mut left = limit_bytes;
    let mut beyond = Vec::new();
    for (index, configuration) in block.configurations.iter().enumerate() {
        let need = payload.saturating_mul(copies(&configuration.strategy.backend));
        match left.checked_sub(need) {
            Some(rest) => left = rest,
            None => beyond.push((index, need)),
        }
    }
    beyond
}

/// How many copies of the payload a backend holds at most: one where workers
/// share it; where it is piped, the parent's, the workers' and what is on the
/// way back. A foreign runner is taken for one that copies.
fn copies(backend: &str) -> u64 {
    match backend {
        Strategy::SERIAL | "threads" | backends::SCOPED_THREADS | "rayon" | "shm-pool" => 1,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::{config::Config, plan};

    /// The largest arrays that a shipped config asks for.
    fn block() -> BlockRecord {
        let config = Config::shipped("payload").expect("shipped");
        let mut plan = plan::blocks(&config, NonZeroUsize::new(2).expect("not zero"));
        plan.pop().expect("a block").record
    }

    #[test]
    fn configurations_beyond_the_memory_limit_are_left_out_and_the_baseline_comes_first() {
        let block = block();
        let payload = block.job.payload_bytes() as u64;
        assert!(beyond(&block, 1, u64::MAX).is_empty());
        let beyond = beyond(&block, 1, payload);
        assert_eq!(beyond.len(), block.configurations.len() - 1);
        assert!(beyond.iter().all(|&(index, _)| index > 0));
    }

    #[test]
    fn two_builds_of_everything_need_twice_as_much() {
        let block = block();
        let payload = block.job.payload_bytes() as u64;
        let twice = |(index, need)| (index, 2 * need);
        let expected: Vec<_> = beyond(&block, 1, payload).into_iter().map(twice).collect();
        assert_eq!(beyond(&block, 2, 2 * payload), expected);
        assert_eq!(beyond(&block, 2, payload)[0], (0, 2 * payload), "not even the baseline's");
    }
}
