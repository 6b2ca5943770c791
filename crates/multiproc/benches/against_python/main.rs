//! This crate against CPython's `multiprocessing`, in one run.
//!
//! ```text
//! cargo bench -p multiproc --bench against_python [-- [--quick] [NAME]]
//! ```
//!
//! Each line compares one operation. Both sides are alive at once and take
//! turns: a block of ours, a block of the other's, then the other way round.
//! So what changes slowly on the machine touches both alike, and the ratio is
//! taken within each round. Python is one long-lived process a line, which
//! times its own blocks: its interpreter's start is not measured.
//!
//! Peers at the other end of a pipe, event, barrier or queue are started
//! before the clock runs. Nothing is pinned but what says so; where two processes wake each
//! other, the time is mostly the kernel's for that.
//!
//! One full run on a virtual machine with two cores, others at rest:
//!
//! ```text
//! multiproc against Python 3.11.7; load of the machine 2.59
//! medians of 21 rounds; ratio: the other's time / ours [quartiles]
//!
//!                               ours   other          ratio                goal
//! start+join, spawn           833 µs CPython 71.8 ms  85.9x [84.8-87.7]   ≥ 40x met
//! start+join, forkserver      269 µs CPython 9.05 ms  33.1x [31.9-34.6]   ≥ 60x missed
//! start+join, fork            253 µs CPython 2.68 ms  10.5x [9.93-10.8]    ≥ 5x met
//! pipe round trip            3.16 µs CPython 22.8 µs  7.24x [7.16-7.29]       -
//! pipe round trip            3.10 µs pipe(2) 2.83 µs  0.91x [0.90-0.92] ≥ 0.91x missed
//! pipe round trip, one core  3.13 µs pipe(2) 2.85 µs  0.91x [0.91-0.92] ≥ 0.91x met
//! pipe round trip, two cores 23.7 µs pipe(2) 24.0 µs  1.04x [0.90-1.11] ≥ 0.91x met
//! lock, uncontended          25.5 ns CPython  128 ns  4.64x [4.38-5.10] < 30 ns met
//! event round trip           3.40 µs CPython 16.4 µs  5.14x [4.86-6.64]       -
//! barrier round              14.8 µs CPython 21.9 µs  1.50x [1.39-1.66]       -
//! queue, 1 to 1, an item      227 ns CPython 7.44 µs  32.2x [29.9-38.8]   ≥ 20x met
//! ```
//!
//! The fork server's 269 µs are a fork of this process's own (253 µs) and one more
//! switch between processes; what is left is the kernel's. On the pipe the goal is
//! at the edge of what it does: the system calls are the same, and encoding,
//! decoding and the header make the difference. The lines that are pinned tell the
//! two cases apart between which the scheduler moves the first.
//!
//! `--quick` takes 5 rounds instead of 21; a name takes the lines that
//! contain it. Without `--bench`, as under `cargo test`, it is one round of
//! everything.

mod compare;
mod ours;
mod python;

use std::{io::Write, process::ExitCode};

use compare::{Comparison, Cores, Goal, Outcome, Quartiles};

/// An odd number, so that the median is one of the rounds.
const ROUNDS: usize = 21;
const QUICK_ROUNDS: usize = 5;

const COMPARISONS: &[Comparison] = &[
    Comparison {
        name: "start+join, spawn",
        cores: Cores::Any,
        ours: ours::spawn,
        counts: [20, 1],
        other: |_| python::start("spawn"),
        other_name: "CPython",
        goal: Goal::Faster(40.0),
    },
    Comparison {
        name: "start+join, forkserver",
        cores: Cores::Any,
        ours: ours::forkserver,
        counts: [60, 2],
        other: |_| python::start("forkserver"),
        other_name: "CPython",
        goal: Goal::Faster(60.0),
    },
    Comparison {
        name: "start+join, fork",
        cores: Cores::Any,
        ours: ours::fork,
        counts: [60, 15],
        other: |_| python::start("fork"),
        other_name: "CPython",
        goal: Goal::Faster(5.0),
    },
    Comparison {
        name: "pipe round trip",
        cores: Cores::Any,
        ours: ours::connection,
        counts: [1_000, 1_000],
        other: |_| python::start("pipe"),
        other_name: "CPython",
        goal: Goal::None,
    },
    Comparison {
        name: "pipe round trip",
        cores: Cores::Any,
        ours: ours::connection,
        counts: [1_000, 1_000],
        other: ours::raw_pipes,
        other_name: "pipe(2)",
        goal: Goal::AtMost(1.1),
    },
    Comparison {
        name: "pipe round trip, one core",
        cores: Cores::One,
        ours: ours::connection,
        counts: [1_000, 1_000],
        other: ours::raw_pipes,
        other_name: "pipe(2)",
        goal: Goal::AtMost(1.1),
    },
    Comparison {
        name: "pipe round trip, two cores",
        cores: Cores::Two,
        ours: ours::connection,
        counts: [1_000, 1_000],
        other: ours::raw_pipes,
        other_name: "pipe(2)",
        goal: Goal::AtMost(1.1),
    },
    Comparison {
        name: "lock, uncontended",
        cores: Cores::Any,
        ours: ours::lock,
        counts: [500_000, 50_000],
        other: |_| python::start("lock"),
        other_name: "CPython",
        goal: Goal::Under(30.0),
    },
    Comparison {
        name: "event round trip",
        cores: Cores::Any,
        ours: ours::event,
        counts: [1_000, 300],
        other: |_| python::start("event"),
        other_name: "CPython",
        goal: Goal::None,
    },
    Comparison {
        name: "barrier round",
        cores: Cores::Any,
        ours: ours::barrier,
        counts: [1_000, 200],
        other: |_| python::start("barrier"),
        other_name: "CPython",
        goal: Goal::None,
    },
    Comparison {
        name: "queue, 1 to 1, an item",
        cores: Cores::Any,
        ours: ours::queue,
        counts: [200_000, 5_000],
        other: |_| python::start("queue"),
        other_name: "CPython",
        goal: Goal::Faster(20.0),
    },
];

fn main() -> ExitCode {
    multiproc::init();
    let (mut is_quick, mut is_bench, mut name) = (false, false, String::new());
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            // What cargo says.
            "--bench" => is_bench = true,
            "--quick" => is_quick = true,
            flag if flag.starts_with('-') => {
                eprintln!("unknown flag {flag}\nhelp: there is --quick, and a part of a name");
                return ExitCode::FAILURE;
            }
            part => name = part.to_owned(),
        }
    }
    let rounds = match (is_quick, is_bench) {
        (true, _) => QUICK_ROUNDS,
        (false, true) => ROUNDS,
        (false, false) => 1,
    };
    let Some(version) = python::version() else {
        println!("skipped: there is no python3 to compare with");
        return ExitCode::SUCCESS;
    };
    println!("multiproc against {version}; load of the machine {}", load());
    println!("medians of {rounds} rounds; ratio: the other's time / ours [quartiles]\n");
    println!(
        "{:<26} {:>7} {:>7} {:>7} {:>6} {:<11} {:>7}",
        "", "ours", "other", "", "ratio", "", "goal"
    );
    for comparison in COMPARISONS.iter().filter(|comparison| comparison.name.contains(&name)) {
        print!("{:<26} ", comparison.name);
        let _ = std::io::stdout().flush();
        match comparison.run(rounds) {
            Some(outcome) => print_outcome(comparison, &outcome),
            None => println!("skipped: there is one core"),
        }
    }
    ExitCode::SUCCESS
}

fn print_outcome(comparison: &Comparison, outcome: &Outcome) {
    let Quartiles { low, median, high } = outcome.ratio;
    println!(
        "{:>7} {:>7} {:>7} {:>6} {:<11} {:>7} {}",
        time(outcome.ours.median),
        comparison.other_name,
        time(outcome.other.median),
        format!("{median:.*}x", decimals(median)),
        format!("[{low:.*}-{high:.*}]", decimals(low), decimals(high)),
        comparison.goal,
        match comparison.goal.is_met(outcome) {
            Some(true) => "met",
            Some(false) => "missed",
            None => "",
        }
    );
}

/// Processes that wanted a core of late: with more than a few beside it, a run
/// says little about times and not too much about ratios.
fn load() -> String {
    let averages = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    averages.split(' ').next().unwrap_or("unknown").to_owned()
}

/// Three digits or so.
fn decimals(ratio: f64) -> usize {
    if ratio < 10.0 { 2 } else { usize::from(ratio < 100.0) }
}

fn time(nanoseconds: f64) -> String {
    let (value, unit) = match nanoseconds {
        ..1e3 => (nanoseconds, "ns"),
        ..1e6 => (nanoseconds / 1e3, "µs"),
        _ => (nanoseconds / 1e6, "ms"),
    };
    format!("{value:.*} {unit}", decimals(value))
}
