//! Every kernel does work that is linear in the task size.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use perf_event::{Builder, events::Hardware};
use workloads::Workload;

const SMALL: usize = 200_000;
const LARGE: usize = 10 * SMALL;

#[test]
fn ten_times_the_size_is_ten_times_the_work() {
    for workload in Workload::ALL {
        let mut buffer = vec![3; workload.stretch_len(LARGE)];
        let mut run = |size: usize| {
            let stretch = &mut buffer[..workload.stretch_len(size)];
            workload.run_task(black_box(size), black_box(stretch));
        };
        run(LARGE);
        match instruction_ratio(&mut run) {
            Some(ratio) => {
                assert!((8.0..12.0).contains(&ratio), "{workload}: {ratio} × the instructions")
            }
            None => {
                let ratio = time_ratio(&mut run);
                assert!(ratio >= 5.0, "{workload}: {ratio} × the time");
            }
        }
    }
}

/// Instructions of the large task over those of the small one; `None` where
/// the processor's counter cannot be read, as in many virtual machines.
fn instruction_ratio(run: &mut impl FnMut(usize)) -> Option<f64> {
    let mut counter = Builder::new(Hardware::INSTRUCTIONS).build().ok()?;
    let mut instructions = |size| {
        counter.reset().ok()?;
        counter.enable().ok()?;
        run(size);
        counter.disable().ok()?;
        counter.read().ok().filter(|&count| count > 0)
    };
    let small = instructions(SMALL)?;
    Some(instructions(LARGE)? as f64 / small as f64)
}

/// The same for the shortest of several times, taken in turn.
fn time_ratio(run: &mut impl FnMut(usize)) -> f64 {
    let mut time = |size| {
        let start = Instant::now();
        run(size);
        start.elapsed()
    };
    let mut shortest = [Duration::MAX; 2];
    for _ in 0..50 {
        shortest[0] = shortest[0].min(time(SMALL));
        shortest[1] = shortest[1].min(time(LARGE));
    }
    shortest[1].as_secs_f64() / shortest[0].as_secs_f64()
}
