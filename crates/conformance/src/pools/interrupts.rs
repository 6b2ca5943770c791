//! Ctrl-C in the middle of what a pool does.
#![allow(missing_docs, reason = "the names of tests say what they check")]

use std::{
    num::NonZeroUsize,
    process::{Command, ExitCode},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use clap::Parser;
use multiproc::{
    StartMethod,
    pool::{Bulk, Pool},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};
use signal_hook::consts::SIGINT;

use super::{
    door::{Door, Way, visit},
    two,
};
use crate::{
    options,
    terminal::{Foreground, Interrupted, survive_interrupts},
};

/// What the program in the foreground is told.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Orders {
    method: u8,
    /// Where to say that the map has begun.
    way: Way,
    /// Whether a handler is there before the pool or comes after it.
    handles_first: bool,
}

impl Orders {
    fn method(self) -> StartMethod {
        StartMethod::ALL[self.method as usize]
    }
}

/// Starts `program`, and presses Ctrl-C so long after its map has begun.
fn interrupt(
    method: StartMethod,
    handles_first: bool,
    after: Duration,
    program: impl Fn(Orders) + Copy + Send + 'static,
) -> Interrupted {
    let mut door = Door::new();
    let orders = Orders { method: method as u8, way: door.way_past(), handles_first };
    let orders = serde_json::to_vec(&orders).expect("orders are plain data");
    let foreground = Foreground::start(orders, move |orders| {
        program(serde_json::from_slice(&orders).expect("they were written above"));
    });
    door.await_knocks(1);
    thread::sleep(after);
    foreground.interrupt()
}

pub fn ctrl_c_ends_the_program_and_its_workers_in_silence<T: Bulk>(method: StartMethod) {
    for round in 0..5 {
        let interrupted = interrupt(method, false, Duration::from_millis(round), |orders| {
            map_for_long(&two::<T>(orders.method()), orders.way);
        });
        assert_ended_by_it(&interrupted);
        let interrupted = interrupt(method, false, Duration::from_millis(round), |orders| {
            visit(orders.way);
            loop {
                drop(two::<T>(orders.method()));
            }
        });
        assert_ended_by_it(&interrupted);
    }
}

/// They are in the foreground as everybody else; that a worker survives is no
/// reason for them to.
pub fn ctrl_c_ends_the_programs_that_tasks_have_started<T: Bulk>(method: StartMethod) {
    let interrupted = interrupt(method, false, Duration::ZERO, |orders| {
        let pool = two::<T>(orders.method());
        let status = pool.apply(run_a_program, orders.way);
        panic!("it was to be interrupted: {status:?}");
    });
    assert_ended_by_it(&interrupted);
}

fn run_a_program(way: Way) {
    // Far longer than anybody waits for its end.
    let mut program = Command::new("sleep").arg("60").spawn().expect("there is a sleep");
    visit(way);
    let _ = program.wait();
    // Its end is not to be told before everybody's.
    thread::sleep(Duration::from_secs(60));
}

fn assert_ended_by_it(interrupted: &Interrupted) {
    let Interrupted { status, screen, .. } = interrupted;
    assert_eq!(status.code, -SIGINT, "{status}: {screen}");
    assert_eq!(screen, "^C", "nobody says anything");
}

pub fn a_program_that_survives_ctrl_c_keeps_its_pool<T: Bulk>(method: StartMethod) {
    for handles_first in [true, false] {
        let interrupted = interrupt(method, handles_first, Duration::ZERO, survive::<T>);
        let Interrupted { status, screen, .. } = interrupted;
        assert!(status.success(), "{status}: {screen}");
        assert_eq!(screen, "^Cfinished\r\n", "handler first: {handles_first}");
    }
}

fn survive<T: Bulk>(orders: Orders) {
    let interrupted = Arc::new(AtomicBool::new(false));
    let handle = || {
        survive_interrupts();
        signal_hook::flag::register(SIGINT, Arc::clone(&interrupted))
            .expect("a handler can be installed");
    };
    if orders.handles_first {
        handle();
    }
    let pool = two::<T>(orders.method());
    if !orders.handles_first {
        handle();
    }
    let mut maps = 0;
    while !interrupted.load(Relaxed) {
        let way = (maps == 0).then_some(orders.way);
        let first = move |x: u64| (x, (x == 0).then_some(way).flatten());
        let results = pool.map(visit_and_double, (0..100).map(first));
        assert!(results.expect("the workers live").into_iter().eq((0..100).map(|x| 2 * x)));
        maps += 1;
    }
    // What replaces workers has survived it too.
    for pid in pool.pids() {
        kill(Pid::from_raw(pid), Signal::SIGKILL).expect("a worker can be killed");
    }
    let results = pool.map(visit_and_double, (0..100).map(|x| (x, None)));
    assert!(results.expect("the pool heals").into_iter().eq((0..100).map(|x| 2 * x)));
    pool.shutdown().expect("the pool is well");
    println!("finished");
}

fn visit_and_double((x, way): (u64, Option<Way>)) -> u64 {
    way.map(visit);
    2 * x
}

fn map_for_long<T: Bulk>(pool: &Pool<T>, way: Way) {
    let work = |(way, x): (Way, u64)| {
        visit(way);
        (0..1_000_000u64).fold(x, |sum, i| std::hint::black_box(sum ^ i))
    };
    let results = pool.map(work, (0..10_000).map(|x| (way, x)));
    panic!("it was to be interrupted: {:?}", results.map(|results| results.len()));
}

/// Presses Ctrl-C in the middle of maps and measures how soon the program is
/// gone, with all of its workers
#[derive(Debug, Parser)]
struct Interrupts {
    /// How often, with each start method
    #[arg(long, default_value = "20")]
    times: NonZeroUsize,
    /// How workers are started: spawn, fork or forkserver; otherwise in all
    /// three ways
    #[arg(long)]
    start_method: Option<StartMethod>,
}

/// Longer, and people notice that they wait.
const PROMPT: Duration = Duration::from_millis(100);

/// The example.
#[must_use]
pub fn main<T: Bulk>() -> ExitCode {
    let Interrupts { times, start_method } = Interrupts::parse();
    let mut slowest = Duration::ZERO;
    for method in options::methods(start_method) {
        let once = |round: usize| {
            let after = Duration::from_millis(round as u64 % 10);
            let interrupted = interrupt(method, false, after, |orders| {
                map_for_long(&two::<T>(orders.method()), orders.way);
            });
            assert_ended_by_it(&interrupted);
            interrupted.gone_after
        };
        let mut all: Vec<Duration> = (0..times.get()).map(once).collect();
        all.sort_unstable();
        let (median, longest) = (all[all.len() / 2], all[all.len() - 1]);
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        let (half, all) = (milliseconds(median), milliseconds(longest));
        println!("{method:<10} gone after {half:.1} ms in the median, {all:.1} ms at most");
        slowest = slowest.max(longest);
    }
    if slowest < PROMPT { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
