//! What the cgroup allows.

use super::{evidence::Evidence, finding::Finding};
use crate::environment::{
    cgroup::{self, Throttling},
    files::Files,
};

const QUOTA: &str = "cgroup quota";
const THROTTLED: &str = "cgroup throttling";

/// Quota and throttled time.
pub(super) fn findings(files: &dyn Files, evidence: &Evidence) -> Vec<Finding> {
    let throttling = evidence.before.throttling.zip(evidence.after.throttling);
    vec![quota(files, evidence.cores.len()), throttled(throttling)]
}

/// A quota below the number of cores stops all workers in the middle of a run.
fn quota(files: &dyn Files, cores: usize) -> Finding {
    let Some(allowed) = cgroup::quota_cores(files) else {
        return match files.text("/proc/self/cgroup") {
            Some(_) => Finding::ok(QUOTA, "none"),
            None => Finding::unread(QUOTA, "no /proc/self/cgroup"),
        };
    };
    let value = format!("the time of {allowed:.2} cores, for {cores}");
    let finding = if allowed < cores as f64 {
        let advice = "allow whole cores (`docker run --cpuset-cpus`) in place of a quota";
        Finding::warn(QUOTA, value, advice)
    } else {
        Finding::ok(QUOTA, value)
    };
    finding.with("cores", allowed)
}

fn throttled(throttling: Option<(Throttling, Throttling)>) -> Finding {
    let Some((before, after)) = throttling else {
        return Finding::unread(THROTTLED, "the cgroup counts none (usual without a quota)");
    };
    let now = after.periods.saturating_sub(before.periods);
    let lost = after.time.saturating_sub(before.time);
    let finding = if now > 0 {
        let advice = "raise the quota, or measure with fewer workers than it allows cores";
        let value =
            format!("{now} periods while this ran, {:.0} ms lost", lost.as_secs_f64() * 1e3);
        Finding::warn(THROTTLED, value, advice)
    } else if after.periods > 0 {
        let so_far = after.time.as_secs_f64();
        Finding::note(
            THROTTLED,
            format!("none now; {} periods, {so_far:.1} s so far", after.periods),
        )
    } else {
        Finding::ok(THROTTLED, "never so far")
    };
    finding.with("periods", after.periods as f64).with("lost_s", after.time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::doctor::{evidence::Totals, finding::Level};

    type Texts = &'static [(&'static str, &'static str)];

    fn levels(texts: Texts, before: Option<Throttling>, after: Option<Throttling>) -> [Level; 2] {
        let totals = |throttling| Totals { throttling, ..Totals::default() };
        let evidence = Evidence {
            cores: vec![0, 1],
            before: totals(before),
            after: totals(after),
            ..Evidence::default()
        };
        let found = findings(&texts, &evidence);
        [found[0].level, found[1].level]
    }

    const fn throttling(periods: u64) -> Option<Throttling> {
        Some(Throttling { periods, time: Duration::from_millis(100 * periods) })
    }

    #[test]
    fn a_quota_below_the_cores_is_warned_of_in_both_versions() {
        let version_2: Texts =
            &[("/proc/self/cgroup", "0::/\n"), ("/sys/fs/cgroup/cpu.max", "150000 100000\n")];
        let version_1: Texts = &[
            ("/proc/self/cgroup", "3:cpu:/\n"),
            ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "150000\n"),
            ("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
        ];
        for texts in [version_1, version_2] {
            assert_eq!(levels(texts, throttling(0), throttling(0)), [Level::Warn, Level::Ok]);
        }
    }

    #[test]
    fn a_quota_for_all_cores_and_none_at_all_are_fine() {
        let ample: Texts =
            &[("/proc/self/cgroup", "0::/\n"), ("/sys/fs/cgroup/cpu.max", "200000 100000\n")];
        assert_eq!(levels(ample, throttling(3), throttling(3)), [Level::Ok, Level::Note]);
        let unlimited: Texts = &[("/proc/self/cgroup", "0::/\n")];
        assert_eq!(levels(unlimited, None, None), [Level::Ok, Level::Note]);
        assert_eq!(levels(&[], throttling(3), throttling(9)), [Level::Note, Level::Warn]);
    }
}
