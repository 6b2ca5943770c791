//! The clock that everything is timed by.

use std::{hint::black_box, time::Instant};

use nix::time::{ClockId, clock_getres};

use super::finding::{Finding, Grades};
use crate::environment::files::Files;

const SOURCE: &str = "clock source";
const RESOLUTION: &str = "timer resolution";
const COST: &str = "clock read";

/// Reads of the clock for its cost and its smallest step; some milliseconds
/// where a read is a system call.
const READS: usize = 20_000;

/// Clock source, resolution, cost of a read.
pub(super) fn findings(files: &dyn Files) -> Vec<Finding> {
    let steps = steps();
    vec![source(files), resolution(&steps), cost(&steps)]
}

fn source(files: &dyn Files) -> Finding {
    let path = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    let Some(name) = files.line(path) else {
        return Finding::unread(SOURCE, "no /sys/devices/system/clocksource");
    };
    match name.as_str() {
        "tsc" | "arch_sys_counter" => {
            Finding::ok(SOURCE, format!("{name}: the processor's own counter"))
        }
        "kvm-clock" | "hyperv_clocksource_tsc_page" => {
            Finding::ok(SOURCE, format!("{name}: the counter, scaled by the hypervisor"))
        }
        "hpet" | "acpi_pm" | "jiffies" | "refined-jiffies" | "pit" => {
            let advice = format!("echo tsc | sudo tee {path}, or boot with tsc=reliable");
            Finding::warn(SOURCE, format!("{name}: slow and coarse; not the tsc"), advice)
        }
        _ => Finding::note(SOURCE, format!("{name}: not the tsc")),
    }
}

/// What the clock says, and what is seen of it: the smallest step that is one.
fn resolution(steps: &[f64]) -> Finding {
    let seen = steps.iter().copied().filter(|&step| step > 0.0).fold(f64::INFINITY, f64::min);
    let told = clock_getres(ClockId::CLOCK_MONOTONIC)
        .map(|time| time.tv_sec() as f64 * 1e9 + time.tv_nsec() as f64);
    let Ok(told) = told else { return Finding::unread(RESOLUTION, "clock_getres is refused") };
    let value = format!("{told:.0} ns; smallest step seen {seen:.0} ns");
    let grades = Grades { note: 200.0, warn: 1_000.0 };
    let advice = "a coarse clock: change its source, or measure jobs of milliseconds";
    Finding::graded(RESOLUTION, value, (told.max(seen), grades), advice)
        .with("told_ns", told)
        .with("smallest_step_ns", seen)
}

fn cost(steps: &[f64]) -> Finding {
    // The mean: where reads are quicker than the clock's steps, most are 0.
    let mean = steps.iter().sum::<f64>() / steps.len() as f64;
    let grades = Grades { note: 200.0, warn: 1_000.0 };
    let advice = "reading it is a system call: see the clock source";
    Finding::graded(COST, format!("{mean:.0} ns"), (mean, grades), advice).with("mean_ns", mean)
}

/// Nanoseconds between successive reads; the slowest hundredth, in which
/// something came between, is left out.
fn steps() -> Vec<f64> {
    let mut steps = Vec::with_capacity(READS);
    let mut last = Instant::now();
    for _ in 0..READS {
        let now = black_box(Instant::now());
        steps.push((now - last).as_nanos() as f64);
        last = now;
    }
    steps.sort_by(f64::total_cmp);
    steps.truncate(READS - READS / 100);
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level;

    fn source_named(name: &str) -> Level {
        let path = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
        source(&&[(path, name)][..]).level
    }

    #[test]
    fn the_clock_source_is_the_counter_or_is_warned_of() {
        assert_eq!(source_named("tsc\n"), Level::Ok);
        assert_eq!(source_named("kvm-clock\n"), Level::Ok);
        assert_eq!(source_named("hpet\n"), Level::Warn);
        assert_eq!(source_named("xen\n"), Level::Note);
        assert!(source(&&[][..]).value.starts_with("cannot be read"));
    }

    #[test]
    fn resolution_and_cost_come_from_the_steps_that_are_seen() {
        let steps = [0.0, 0.0, 40.0, 0.0, 80.0];
        assert!(resolution(&steps).value.ends_with("smallest step seen 40 ns"));
        assert_eq!(cost(&steps).value, "24 ns");
        assert_eq!(cost(&[1_500.0, 1_400.0]).level, Level::Warn);
        assert_eq!(resolution(&[0.0, 4e6]).level, Level::Warn);
    }

    #[test]
    fn this_machine_has_a_clock_that_moves() {
        assert!(steps().iter().sum::<f64>() > 0.0);
    }
}
