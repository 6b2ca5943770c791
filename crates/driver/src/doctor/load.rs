//! What else keeps the machine busy.

use super::{
    evidence::{Evidence, PRESSURES},
    finding::{Finding, Grades, percent},
};
use crate::{config::ValidityLimits, measure::validity::Change};

const STEAL: &str = "steal time";
const OTHERS: &str = "other processes";
const QUEUE: &str = "run queue";
const STALLS: [&str; 3] = ["cpu pressure", "memory pressure", "io pressure"];

/// Steal time, other processes, run queue, pressure.
pub(super) fn findings(evidence: &Evidence) -> Vec<Finding> {
    let mut findings = match &evidence.change {
        Some(change) => vec![steal(change), others(change, evidence)],
        None => {
            [STEAL, OTHERS].map(|what| Finding::unread(what, "/proc/stat tells nothing")).into()
        }
    };
    findings.push(queue(&evidence.runnable, evidence.cores.len()));
    let stalls = (0..PRESSURES.len()).map(|place| {
        let elapsed_us = evidence.elapsed.as_micros() as f64;
        let total = |of: &super::evidence::Totals| of.stalled_us[place];
        let stalled = total(&evidence.before).zip(total(&evidence.after));
        stall(place, stalled.map(|(from, to)| to.saturating_sub(from) as f64 / elapsed_us))
    });
    findings.extend(stalls);
    findings
}

fn steal(change: &Change) -> Finding {
    let grades = Grades { note: 0.005, warn: ValidityLimits::DEFAULT.max_steal };
    let value = format!("{} of the cores' time went to other guests", percent(change.steal));
    let advice = "measure at another hour, or on a machine with cores of its own";
    Finding::graded(STEAL, value, (change.steal, grades), advice).with("share", change.steal)
}

fn others(change: &Change, evidence: &Evidence) -> Finding {
    let grades = Grades { note: 0.01, warn: ValidityLimits::DEFAULT.max_others };
    let seconds = evidence.elapsed.as_secs_f64();
    let value = format!("{} of the cores' time", percent(change.others));
    let (value, advice) = match &evidence.busiest {
        None => (value, "find out by `top` who is busy".to_owned()),
        Some(busiest) => {
            let share = busiest.cpu_ns as f64 / 1e9 / seconds;
            let who = format!("`{}` (pid {})", busiest.name, busiest.pid);
            let advice = format!("end or pause {who}, {} of a core, or wait", percent(share));
            (format!("{value}, most by {who}"), advice)
        }
    };
    Finding::graded(OTHERS, value, (change.others, grades), advice).with("share", change.others)
}

/// As many as there are cores have one each; what is beyond has to wait.
fn queue(runnable: &[f64], cores: usize) -> Finding {
    if runnable.is_empty() {
        return Finding::unread(QUEUE, "no /proc/loadavg");
    }
    let mean = runnable.iter().sum::<f64>() / runnable.len() as f64;
    let worst = runnable.iter().copied().fold(0.0, f64::max);
    let plural = if cores == 1 { "" } else { "s" };
    let value =
        format!("{mean:.1} other tasks for {cores} core{plural} on average, at most {worst:.0}");
    let grades = Grades { note: 0.5, warn: cores as f64 };
    let advice = "end what runs: it takes turns with what is measured";
    Finding::graded(QUEUE, value, (mean, grades), advice).with("mean_tasks", mean)
}

fn stall(place: usize, share: Option<f64>) -> Finding {
    const ADVICE: [&str; 3] = [
        "tasks wait for a core: end what runs, or measure with fewer workers",
        "memory is short: close programs, or measure smaller arrays",
        "a disk is busy: wait until it is not",
    ];
    // Waiting for a core or a disk harms who waits; want of memory, everybody.
    const GRADES: [Grades; 3] = [
        Grades { note: 0.05, warn: ValidityLimits::DEFAULT.max_pressure },
        Grades { note: 0.001, warn: 0.01 },
        Grades { note: 0.1, warn: 0.5 },
    ];
    let what = STALLS[place];
    let Some(share) = share else {
        return Finding::unread(what, "no /proc/pressure (CONFIG_PSI, boot with `psi=1`)");
    };
    let value = format!("some task waited {} of the time", percent(share));
    Finding::graded(what, value, (share, GRADES[place]), ADVICE[place]).with("share", share)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        doctor::{evidence::Totals, finding::Level},
        measure::resources::Busiest,
    };

    fn seen(change: Change) -> Evidence {
        let busiest = Some(Busiest { name: "rustc".to_owned(), pid: 77, cpu_ns: 1_500_000_000 });
        let totals =
            |us: u64| Totals { stalled_us: [Some(us), Some(5), None], ..Totals::default() };
        Evidence {
            cores: vec![0, 1],
            elapsed: Duration::from_secs(2),
            change: Some(change),
            busiest,
            runnable: vec![1.0, 3.0],
            before: totals(0),
            after: totals(400_000),
            ..Evidence::default()
        }
    }

    fn levels(findings: &[Finding]) -> Vec<Level> {
        findings.iter().map(|finding| finding.level).collect()
    }

    #[test]
    fn a_quiet_machine_is_fine_and_a_busy_one_is_told_who_is_to_blame() {
        let quiet = findings(&seen(Change::default()));
        assert_eq!(levels(&quiet[..2]), [Level::Ok; 2]);
        let busy = findings(&seen(Change { steal: 0.3, others: 0.4, ..Change::default() }));
        assert_eq!(levels(&busy[..2]), [Level::Warn; 2]);
        assert!(busy[0].value.starts_with("30 %"), "{busy:?}");
        assert_eq!(busy[1].value, "40 % of the cores' time, most by `rustc` (pid 77)");
        let advice = "end or pause `rustc` (pid 77), 75 % of a core, or wait";
        assert_eq!(busy[1].advice.as_deref(), Some(advice));
    }

    #[test]
    fn the_run_queue_and_the_pressure_are_means_over_the_time_watched() {
        let found = findings(&seen(Change::default()));
        assert!(found[2].value.starts_with("2.0 other tasks for 2 cores"), "{found:?}");
        assert_eq!(found[3].value, "some task waited 20 % of the time");
        assert_eq!(levels(&found[2..]), [Level::Note, Level::Note, Level::Ok, Level::Note]);
        assert!(found[5].value.starts_with("cannot be read"), "{found:?}");
    }

    #[test]
    fn where_nothing_can_be_read_every_finding_says_so() {
        let found = findings(&Evidence::default());
        assert_eq!(found.len(), 6);
        assert!(found.iter().all(|finding| finding.value.starts_with("cannot be read")));
    }
}
