//! Barriers: in lockstep, and broken for everybody at once.

use std::time::Duration;

use multiproc::{Barrier, Error, Event, Process, Semaphore, StartMethod, WhyBroken};
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use super::{SHORT, ends_well, event, killed, signal, sleep_for_ever, started};
use crate::with_every_start_method;

const N: u32 = 5;

/// A list of which only the length matters, as CPython's tests use it.
#[derive(Clone, Serialize, Deserialize)]
struct Tally(Semaphore);

impl Tally {
    fn new() -> Self {
        Self(Semaphore::new(0).unwrap())
    }

    fn append(&self) {
        self.0.release().unwrap();
    }

    fn len(&self) -> u32 {
        self.0.value()
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Scene {
    barrier: Barrier,
    results: [Tally; 3],
}

impl Scene {
    fn new() -> Self {
        Self { barrier: Barrier::new(N).unwrap(), results: [(); 3].map(|()| Tally::new()) }
    }

    fn lengths(&self) -> [u32; 3] {
        [0, 1, 2].map(|index| self.results[index].len())
    }

    /// Runs `party` in N - 1 processes and here.
    fn run(&self, method: StartMethod, party: impl Fn(Self) + Copy + Send + 'static) {
        let others: Vec<Process> = (1..N).map(|_| started(method, party, self.clone())).collect();
        party(self.clone());
        others.into_iter().for_each(ends_well);
    }
}

/// Passes a barrier of N parties in lockstep.
fn multipass(scene: &Scene, passes: u32) {
    let [before, after, _] = &scene.results;
    for pass in 0..passes {
        before.append();
        assert_eq!(after.len(), pass * N);
        scene.barrier.wait().unwrap();
        after.append();
        assert_eq!(before.len(), (pass + 1) * N);
        scene.barrier.wait().unwrap();
    }
    assert_eq!(scene.barrier.n_waiting(), 0);
    assert!(!scene.barrier.is_broken());
}

#[test]
fn test_barrier() {
    with_every_start_method(|method| {
        Scene::new().run(method, |scene| multipass(&scene, 1));
    });
}

#[test]
fn test_barrier_10() {
    with_every_start_method(|method| {
        Scene::new().run(method, |scene| multipass(&scene, 10));
    });
}

#[test]
fn test_wait_return() {
    with_every_start_method(|method| {
        let scene = Scene::new();
        scene.run(method, |scene| {
            let [first, any, sum] = &scene.results;
            let place = scene.barrier.wait().unwrap();
            any.append();
            (0..place).for_each(|_| sum.append());
            if place == 0 {
                first.append();
            }
        });
        // Each place once: one is the first, and together they are 0 + 1 + 2 + 3 + 4.
        assert_eq!(scene.lengths(), [1, N, 10]);
    });
}

#[test]
fn test_action() {
    with_every_start_method(|method| {
        let scene = Scene::new();
        scene.run(method, |scene| {
            let [acted, ..] = &scene.results;
            scene.barrier.wait_with_action(|| acted.append()).unwrap();
            assert_eq!(acted.len(), 1);
        });
        assert_eq!(scene.lengths()[0], 1);
    });
}

#[test]
fn test_abort() {
    with_every_start_method(|method| {
        let scene = Scene::new();
        scene.run(method, |scene| {
            if scene.barrier.wait().unwrap() == N as usize / 2 {
                return scene.barrier.abort();
            }
            match scene.barrier.wait() {
                Ok(_) => scene.results[0].append(),
                Err(Error::BrokenBarrier { why: WhyBroken::Aborted { .. } }) => {
                    scene.results[1].append();
                }
                Err(error) => panic!("{error}"),
            }
        });
        assert_eq!(scene.lengths(), [0, N - 1, 0]);
        assert!(scene.barrier.is_broken());
    });
}

#[test]
fn test_reset() {
    with_every_start_method(|method| {
        let scene = Scene::new();
        scene.run(method, |scene| {
            let Scene { barrier, results } = &scene;
            if barrier.wait().unwrap() == N as usize / 2 {
                // Until the others are all in the barrier.
                while barrier.n_waiting() < N as usize - 1 {
                    std::thread::yield_now();
                }
                barrier.reset();
            } else {
                match barrier.wait() {
                    Ok(_) => results[0].append(),
                    Err(Error::BrokenBarrier { why: WhyBroken::Reset { .. } }) => {
                        results[1].append();
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            barrier.wait().unwrap();
            results[2].append();
        });
        assert_eq!(scene.lengths(), [0, N - 1, N]);
    });
}

#[test]
fn test_abort_and_reset() {
    with_every_start_method(|method| {
        let scene = Scene::new();
        let second = Barrier::new(N).unwrap();
        let party = |(scene, second): (Scene, Barrier)| {
            let Scene { barrier, results } = &scene;
            if barrier.wait().unwrap() == N as usize / 2 {
                barrier.abort();
            } else {
                match barrier.wait() {
                    Ok(_) => results[0].append(),
                    Err(Error::BrokenBarrier { .. }) => results[1].append(),
                    Err(error) => panic!("{error}"),
                }
            }
            if second.wait().unwrap() == N as usize / 2 {
                barrier.reset();
            }
            second.wait().unwrap();
            barrier.wait().unwrap();
            results[2].append();
        };
        let parties: Vec<Process> =
            (0..N).map(|_| started(method, party, (scene.clone(), second.clone()))).collect();
        parties.into_iter().for_each(ends_well);
        assert_eq!(scene.lengths(), [0, N - 1, N]);
    });
}

#[test]
fn test_timeout() {
    with_every_start_method(|method| {
        let scene = Scene::new();
        scene.run(method, |scene| {
            let Scene { barrier, results } = &scene;
            if barrier.wait().unwrap() == N as usize / 2 {
                // Late: the others have given up.
                while !barrier.is_broken() {
                    std::thread::yield_now();
                }
            }
            match barrier.wait_timeout(SHORT) {
                Err(Error::TimedOut | Error::BrokenBarrier { .. }) => results[0].append(),
                Ok(_) => panic!("went on without the late one"),
                Err(error) => panic!("{error}"),
            }
        });
        assert_eq!(scene.lengths()[0], N);
        assert!(matches!(scene.barrier.why_broken(), Some(WhyBroken::TimedOut { .. })));
    });
}

#[test]
fn test_single_thread() {
    let barrier = Barrier::new(1).unwrap();
    assert_eq!(barrier.wait().unwrap(), 0);
    assert_eq!(barrier.wait().unwrap(), 0);
    assert!(matches!(Barrier::new(0), Err(Error::NoParties)));
}

#[test]
fn test_thousand() {
    with_every_start_method(|method| {
        let scene = Scene::new();
        scene.run(method, |scene| {
            let [before, ..] = &scene.results;
            for pass in 0..1000 {
                scene.barrier.wait().unwrap();
                // Nobody is a whole pass ahead or behind.
                let passed = before.len();
                assert!((pass * N..(pass + 1) * N).contains(&passed), "{passed} in {pass}");
                before.append();
            }
        });
        assert_eq!(scene.lengths()[0], 1000 * N);
    });
}

#[test]
fn more_processes_than_parties_pass_in_groups() {
    with_every_start_method(|method| {
        let (barrier, passed) = (Barrier::new(2).unwrap(), Tally::new());
        let passes = |(barrier, passed): (Barrier, Tally)| {
            while barrier.wait_with_action(std::thread::yield_now).is_ok() {
                passed.append();
            }
        };
        let parties = [(); 4].map(|()| started(method, passes, (barrier.clone(), passed.clone())));
        while passed.len() < 800 {
            std::thread::yield_now();
        }
        barrier.abort();
        parties.into_iter().for_each(ends_well);
    });
}

/// A process that waits at the barrier and has arrived there.
fn waiter(method: StartMethod, barrier: &Barrier) -> Process {
    let before = barrier.n_waiting();
    let waits = |barrier: Barrier| {
        let _ = barrier.wait();
    };
    let process = started(method, waits, barrier.clone());
    while barrier.n_waiting() == before {
        std::thread::yield_now();
    }
    process
}

#[test]
fn a_party_that_is_killed_while_it_waits_breaks_the_barrier_for_the_others() {
    with_every_start_method(|method| {
        let barrier = Barrier::new(3).unwrap();
        let told = |(barrier, dead): (Barrier, i32)| {
            let Err(Error::BrokenBarrier { why }) = barrier.wait() else { panic!("not told") };
            assert_eq!(why, WhyBroken::PartyDied { pid: dead });
        };
        let dies = waiter(method, &barrier);
        let lives = started(method, told, (barrier.clone(), dies.pid().unwrap()));
        while barrier.n_waiting() < 2 {
            std::thread::yield_now();
        }
        let pid = killed(dies);
        ends_well(lives);
        let error = barrier.wait().unwrap_err();
        assert!(error.to_string().contains(&format!("process {pid} died")), "{error}");
        assert!(error.to_string().contains("help:"), "{error}");
        barrier.reset();
        let parties = [(); 2].map(|()| waiter(method, &barrier));
        barrier.wait().unwrap();
        parties.into_iter().for_each(ends_well);
    });
}

#[test]
fn a_party_that_was_killed_while_it_waited_alone_has_not_come() {
    with_every_start_method(|method| {
        let barrier = Barrier::new(2).unwrap();
        let pid = killed(waiter(method, &barrier));
        let told = barrier.wait();
        let why = WhyBroken::PartyDied { pid };
        assert!(matches!(told, Err(Error::BrokenBarrier { why: told }) if told == why), "{told:?}");
    });
}

#[test]
fn a_party_that_dies_in_its_action_breaks_the_barrier() {
    with_every_start_method(|method| {
        let barrier = Barrier::new(2).unwrap();
        let acts = |barrier: Barrier| {
            let _ = barrier.wait_with_action(|| std::process::abort());
        };
        let waits = |barrier: Barrier| {
            let Err(Error::BrokenBarrier { why }) = barrier.wait() else { panic!("not told") };
            assert!(matches!(why, WhyBroken::PartyDied { .. }));
        };
        let waiter = started(method, waits, barrier.clone());
        while barrier.n_waiting() < 1 {
            std::thread::yield_now();
        }
        started(method, acts, barrier.clone()).join().unwrap();
        ends_well(waiter);
    });
}

#[test]
fn an_action_that_panics_breaks_the_barrier_and_goes_on_panicking() {
    with_every_start_method(|method| {
        let barrier = Barrier::new(2).unwrap();
        let waits = |barrier: Barrier| {
            let Err(Error::BrokenBarrier { why }) = barrier.wait() else { panic!("not told") };
            assert!(matches!(why, WhyBroken::ActionPanicked { .. }));
        };
        let waiter = started(method, waits, barrier.clone());
        while barrier.n_waiting() < 1 {
            std::thread::yield_now();
        }
        let act = || barrier.wait_with_action(|| panic!("in the action"));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(act)).is_err());
        ends_well(waiter);
    });
}

#[test]
fn an_abort_reaches_the_party_that_executes_its_action() {
    with_every_start_method(|method| {
        let barrier = Barrier::new(1).unwrap();
        let (acting, go_on) = (event(), event());
        let acts = |(barrier, acting, go_on): (Barrier, Event, Event)| {
            let action = || {
                acting.set();
                go_on.wait();
            };
            let Err(Error::BrokenBarrier { why }) = barrier.wait_with_action(action) else {
                panic!("went on")
            };
            assert!(matches!(why, WhyBroken::Aborted { .. }));
        };
        let arguments = (barrier.clone(), acting.clone(), go_on.clone());
        let party = started(method, acts, arguments);
        acting.wait();
        barrier.abort();
        go_on.set();
        ends_well(party);
    });
}

#[test]
fn a_stopped_party_delays_the_others_only_as_long_as_they_like() {
    with_every_start_method(|method| {
        let barrier = Barrier::new(3).unwrap();
        let stopped = waiter(method, &barrier);
        signal(&stopped, Signal::SIGSTOP);
        assert!(matches!(barrier.wait_timeout(SHORT), Err(Error::TimedOut)));
        signal(&stopped, Signal::SIGCONT);
        ends_well(stopped);
        assert!(barrier.is_broken());
    });
}

#[test]
fn a_process_that_ends_elsewhere_does_not_break_a_barrier() {
    with_every_start_method(|method| {
        let barrier = Barrier::new(2).unwrap();
        killed(started(method, |_: Barrier| sleep_for_ever(), barrier.clone()));
        let other = waiter(method, &barrier);
        barrier.wait().unwrap();
        ends_well(other);
    });
}

#[test]
fn parties_killed_at_random_moments_leave_a_barrier_that_a_reset_makes_whole() {
    with_every_start_method(|method| {
        let barrier = Barrier::new(2).unwrap();
        let hammers = |barrier: Barrier| {
            loop {
                if barrier.wait_with_action(|| ()).is_err() {
                    barrier.reset();
                }
            }
        };
        for round in 0..25_u64 {
            let victims = [(); 3].map(|()| started(method, hammers, barrier.clone()));
            std::thread::sleep(Duration::from_micros(300 * (round % 7)));
            for victim in victims {
                killed(victim);
            }
        }
        barrier.reset();
        let passes = |barrier: Barrier| {
            for _ in 0..100 {
                barrier.wait().unwrap();
            }
        };
        [(); 2].map(|()| started(method, passes, barrier.clone())).into_iter().for_each(ends_well);
    });
}
