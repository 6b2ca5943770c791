//! What an experiment measures where its config does not say.

use std::{collections::BTreeMap, num::NonZeroUsize};

use harness::{Workload, record::ExperimentKind};

use super::values::{ByteSize, WorkerCount};
use crate::backends;

/// All kinds, for messages.
pub(super) const KINDS: [ExperimentKind; 5] = [
    ExperimentKind::SpeedUp,
    ExperimentKind::Granularity,
    ExperimentKind::StartMethods,
    ExperimentKind::Payload,
    ExperimentKind::Table,
];

/// Backends that a kind compares: all of them, but the scoped split only
/// where a job is run over and over on warm workers.
pub(super) fn backends(kind: ExperimentKind) -> Vec<String> {
    let warm = matches!(kind, ExperimentKind::SpeedUp | ExperimentKind::Granularity);
    let names = backends::ALL.iter().map(|entry| entry.name);
    names.filter(|&name| warm || name != backends::SCOPED_THREADS).map(str::to_owned).collect()
}

pub(super) fn workloads(kind: ExperimentKind) -> Vec<Workload> {
    match kind {
        ExperimentKind::SpeedUp => Workload::ALL.to_vec(),
        ExperimentKind::Payload => vec![Workload::Square, Workload::Cube],
        _ => vec![Workload::SumOfSquares],
    }
}

pub(super) fn workers(kind: ExperimentKind) -> Vec<WorkerCount> {
    vec![match kind {
        ExperimentKind::SpeedUp | ExperimentKind::StartMethods => WorkerCount::Powers,
        ExperimentKind::Granularity | ExperimentKind::Payload => {
            WorkerCount::TimesCores(NonZeroUsize::MIN)
        }
        ExperimentKind::Table => WorkerCount::Exactly(nonzero(4)),
    }]
}

pub(super) fn tasks(kind: ExperimentKind) -> NonZeroUsize {
    nonzero(match kind {
        ExperimentKind::SpeedUp => 64,
        ExperimentKind::Granularity => 1_000,
        ExperimentKind::StartMethods | ExperimentKind::Payload | ExperimentKind::Table => 4,
    })
}

/// Task sizes of each of `workloads`: about a tenth of a millisecond of
/// arithmetic, or an array that stays in a third-level cache.
pub(super) fn task_size(
    kind: ExperimentKind,
    workloads: &[Workload],
) -> BTreeMap<Workload, Vec<NonZeroUsize>> {
    let sizes = |workload: Workload| match (kind, workload) {
        (ExperimentKind::Granularity, _) => {
            vec![10, 30, 100, 300, 1_000, 3_000, 10_000, 100_000, 1_000_000]
        }
        (_, Workload::SumOfSquares) => vec![1_000_000],
        (_, Workload::Square | Workload::Cube) => vec![16_384],
    };
    let sized =
        |&workload: &Workload| (workload, sizes(workload).into_iter().map(nonzero).collect());
    workloads.iter().map(sized).collect()
}

pub(super) fn sizes() -> Vec<ByteSize> {
    [1 << 10, 32 << 10, 1 << 20, 16 << 20, 256 << 20].map(ByteSize).to_vec()
}

fn nonzero(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).expect("the defaults are not zero")
}
