//! A pool whose parent is killed, at any instant.
#![allow(missing_docs, reason = "the names of tests say what they check")]

use std::{thread, time::Duration};

use multiproc::{
    StartMethod,
    pool::{Bulk, Pool},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

use super::{
    WATCHDOG,
    door::{Door, Way, visit},
    two,
};
use crate::{Isolated, isolated};

/// What the parent does when it is killed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Doing {
    Nothing,
    Mapping,
    Building,
    Replacing,
    /// Its workers have workers.
    Nesting,
    /// With an array.
    Changing,
}

/// What a parent is told: how its workers are started, what it is to do,
/// whether a thread of its own moves the pool on, and where to say that it
/// has begun.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Orders {
    method: u8,
    doing: Doing,
    has_driver: bool,
    way: Way,
}

/// One parent for each, which all live at a time.
const DOINGS: [Doing; 6] = [
    Doing::Nothing,
    Doing::Mapping,
    Doing::Building,
    Doing::Replacing,
    Doing::Nesting,
    Doing::Changing,
];

/// With each start method.
const KILLS: usize = 102;

pub fn nothing_outlives_a_parent_killed_at_any_instant<T: Bulk>(method: StartMethod) {
    let mut random = Pcg64Mcg::seed_from_u64(1);
    for round in 0..KILLS / DOINGS.len() {
        let mut door = Door::new();
        let mut parents = DOINGS.map(|doing| {
            let (method, has_driver) = (method as u8, round % 2 == 1);
            begin::<T>(Orders { method, doing, has_driver, way: door.way_past() })
        });
        door.await_knocks(parents.len());
        for parent in &mut parents {
            thread::sleep(Duration::from_micros(random.random_range(0..5_000)));
            parent.kill();
        }
        for (parent, doing) in parents.iter().zip(DOINGS) {
            let left = parent.left();
            assert!(left.is_empty(), "{doing:?}, round {round}: {left:#?}");
        }
    }
}

fn begin<T: Bulk>(orders: Orders) -> Isolated {
    let orders = serde_json::to_vec(&orders).expect("orders are plain data");
    isolated(WATCHDOG, orders, |orders| {
        let orders: Orders = serde_json::from_slice(&orders).expect("they were written above");
        be_busy::<T>(orders)
    })
}

/// Until it is killed.
fn be_busy<T: Bulk>(orders: Orders) {
    let method = StartMethod::ALL[orders.method as usize];
    if matches!(orders.doing, Doing::Building) {
        visit(orders.way);
        loop {
            drop(two::<T>(method));
        }
    }
    let pool = two::<T>(method);
    if orders.has_driver {
        pool.apply_async(|(): ()| (), ()).get().expect("the pool is well");
    }
    let mut array = pool.array::<u64>(10_000).expect("there is memory");
    visit(orders.way);
    loop {
        match orders.doing {
            Doing::Nothing | Doing::Building => thread::park(),
            Doing::Mapping => map_some(&pool),
            Doing::Nesting => {
                let sums = pool.map(nest::<T>, [orders.method; 2]);
                assert!(sums.is_ok(), "{sums:?}");
            }
            Doing::Changing => {
                let add = |x: u64, chunk: &mut [u64]| chunk.iter_mut().for_each(|y| *y += x);
                pool.for_each_chunk(&mut array, 10, 1, add).expect("the workers live");
            }
            Doing::Replacing => {
                let victim = pool.pids().next().expect("it has two workers");
                kill(Pid::from_raw(victim), Signal::SIGKILL).expect("a worker can be killed");
                map_some(&pool);
            }
        }
    }
}

/// A worker with workers of its own.
fn nest<T: Bulk>(method: u8) {
    let pool = two::<T>(StartMethod::ALL[method as usize]);
    (0..10).for_each(|_| map_some(&pool));
}

fn map_some<T: Bulk>(pool: &Pool<T>) {
    let results = pool.call().retries(100).map(|x: u64| (0..x).sum::<u64>(), 0..2_000);
    assert!(results.is_ok(), "{results:?}");
}
