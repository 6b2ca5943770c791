//! From sweeps to trends and their change points.

use stats::{
    ChangePoint, Estimate,
    change_points::{FEWEST_VALUES, fewest_values},
    ratio_of_medians,
};

use super::{
    ALARM_RATE, CellName, CellTrend, Change, HISTORY_VERSION, History, Run, Skipped, Sweep, Trend,
    TrendPoint,
};
use crate::calendar::utc;

pub(super) fn history(mut sweeps: Vec<Sweep>, mut skipped: Vec<Skipped>) -> History {
    sweeps.sort_by(|a, b| key(a).cmp(&key(b)));
    let mut groups: Vec<Vec<Sweep>> = Vec::new();
    for sweep in sweeps {
        let same = |group: &&mut Vec<Sweep>| is_same_identity(&group[0], &sweep);
        let Some(group) = groups.iter_mut().find(same) else {
            groups.push(vec![sweep]);
            continue;
        };
        match group.iter().find(|other| is_copy(other, &sweep)) {
            Some(other) => {
                let reason = format!("it is the same sweep as `{}`", other.folder);
                skipped.push(Skipped { folder: sweep.folder, reason });
            }
            None => group.push(sweep),
        }
    }
    groups.sort_by_key(|group| {
        std::cmp::Reverse(group.last().map(|sweep| sweep.environment.started_unix_s))
    });
    let mut trends: Vec<Trend> = groups.iter().map(|group| trend(group)).collect();
    let (cells_tested, fewest_runs) = mark_changes(&mut trends);
    skipped.sort_by(|a, b| a.folder.cmp(&b.folder));
    let (version, alarm_rate) = (HISTORY_VERSION, ALARM_RATE);
    History { version, alarm_rate, cells_tested, fewest_runs, trends, skipped }
}

/// By time; the folder's name decides between sweeps of one second.
fn key(sweep: &Sweep) -> (u64, &str) {
    (sweep.environment.started_unix_s, &sweep.folder)
}

fn is_same_identity(one: &Sweep, other: &Sweep) -> bool {
    let host = |sweep: &Sweep| (sweep.environment.cpu.clone(), sweep.environment.available_cores);
    one.config_toml == other.config_toml && host(one) == host(other)
}

/// A folder that was copied, as a sample that is kept.
fn is_copy(one: &Sweep, other: &Sweep) -> bool {
    one.environment == other.environment && one.cells == other.cells
}

/// The trend of sweeps of one identity, of which there is at least one.
fn trend(sweeps: &[Sweep]) -> Trend {
    let first = &sweeps[0];
    let (cpu, cores) = (first.environment.cpu.clone(), first.environment.available_cores);
    let named = format!("{}\n{cores}\n{}", cpu.as_deref().unwrap_or_default(), first.config_toml);
    let run = |sweep: &Sweep| Run {
        folder: sweep.folder.clone(),
        started_unix_s: sweep.environment.started_unix_s,
        started: utc(sweep.environment.started_unix_s),
        commit: sweep.environment.commit.clone(),
    };
    Trend {
        identity: format!("{:016x}", fnv_1a(named.as_bytes())),
        cpu,
        available_cores: cores,
        question: first.question.clone(),
        config_toml: first.config_toml.clone(),
        runs: sweeps.iter().map(run).collect(),
        fewest_runs: 0,
        cells: cells(sweeps),
    }
}

/// Every cell that any run has figures of.
fn cells(sweeps: &[Sweep]) -> Vec<CellTrend> {
    let mut cells: Vec<CellTrend> = Vec::new();
    for cell in sweeps.iter().rev().flat_map(|sweep| &sweep.cells) {
        if cells.iter().any(|known| known.name == cell.name) {
            continue;
        }
        let points = points(sweeps, &cell.name);
        if !points.is_empty() {
            let (name, oversubscribed) = (cell.name.clone(), cell.oversubscribed);
            let changes = Vec::new();
            cells.push(CellTrend { name, oversubscribed, points, tested: false, changes });
        }
    }
    cells
}

fn points(sweeps: &[Sweep], name: &CellName) -> Vec<TrendPoint> {
    let point = |(run, sweep): (usize, &Sweep)| {
        let cell = sweep.cells.iter().find(|cell| cell.name == *name)?;
        let (speed_up, time_ns) = cell.figures.filter(|(speed_up, _)| speed_up.value > 0.0)?;
        Some(TrendPoint { run, speed_up, time_ns })
    };
    sweeps.iter().enumerate().filter_map(point).collect()
}

/// Looks for changes in all cells at once, and returns in how many, and how many
/// runs those must have at least.
///
/// Cells in which nothing could be shown, by the number of their runs alone, are
/// left out, so that they take nothing from the others. That number is all that
/// decides it, so the rate holds for those that are left.
fn mark_changes(trends: &mut [Trend]) -> (usize, usize) {
    let lengths = |trend: &Trend| trend.cells.iter().map(|cell| cell.points.len()).collect();
    let lengths: Vec<Vec<usize>> = trends.iter().map(lengths).collect();
    let fewest = shortest_tested(&lengths.concat());
    for (place, trend) in trends.iter_mut().enumerate() {
        let mut longer = lengths.clone();
        longer[place].fill(usize::MAX);
        trend.fewest_runs = shortest_tested(&longer.concat());
    }
    let least = trends.iter().map(|trend| trend.fewest_runs).min();
    let mut cells: Vec<&mut CellTrend> =
        trends.iter_mut().flat_map(|trend| &mut trend.cells).collect();
    cells.retain(|cell| cell.points.len() >= fewest);
    let series: Vec<Vec<f64>> = cells
        .iter()
        .map(|cell| cell.points.iter().map(|point| point.speed_up.value.ln()).collect())
        .collect();
    for (cell, found) in cells.iter_mut().zip(stats::change_points(&series, ALARM_RATE)) {
        cell.tested = true;
        cell.changes = changes(&cell.points, &found);
    }
    (cells.len(), least.filter(|_| cells.is_empty()).unwrap_or(fewest))
}

/// The smallest length from which on series can all be tested together, so that a
/// change could be shown in each; `lengths` are those of all series.
fn shortest_tested(lengths: &[usize]) -> usize {
    let is_enough = |&len: &usize| {
        let series = lengths.iter().filter(|&&other| other >= len).count();
        fewest_values(series.max(1), ALARM_RATE) <= len
    };
    (FEWEST_VALUES..).find(is_enough).unwrap_or(usize::MAX)
}

fn changes(points: &[TrendPoint], found: &[ChangePoint]) -> Vec<Change> {
    let ends: Vec<usize> = found.iter().map(|change| change.at).chain([points.len()]).collect();
    let starts: Vec<usize> = std::iter::once(0).chain(ends.iter().copied()).collect();
    let change = |(place, change): (usize, &ChangePoint)| Change {
        run: points[change.at].run,
        speed_up_ratio: ratio(
            &points[change.at..ends[place + 1]],
            &points[starts[place]..change.at],
        ),
        p_value: change.p_value,
    };
    found.iter().enumerate().map(change).collect()
}

/// Of the medians of two stretches. A run is to this what an incarnation is to a run.
fn ratio(after: &[TrendPoint], before: &[TrendPoint]) -> Estimate {
    let groups = |points: &[TrendPoint]| -> Vec<Vec<f64>> {
        points.iter().map(|point| vec![point.speed_up.value]).collect()
    };
    // No stretch is so short that anything was drawn at random.
    let ratio = ratio_of_medians(&groups(after), &groups(before), 0);
    ratio.expect("speed-ups are positive, and each stretch has some")
}

/// Fowler, Noll and Vo's hash, <https://datatracker.ietf.org/doc/html/rfc9923>: the
/// same on every machine and with every compiler, unlike the standard library's.
fn fnv_1a(bytes: &[u8]) -> u64 {
    let step = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the test vectors of the RFC.
    #[test]
    fn published_hashes_are_met() {
        assert_eq!(fnv_1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv_1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv_1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
