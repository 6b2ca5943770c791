//! What a user's own types do when the pool copies, wakes or drops them: they
//! may panic, and may ask the pool itself.
#![allow(missing_docs, reason = "the names of tests say what they check")]

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    task::{Context, Wake, Waker},
};

use multiproc::{
    Error, StartMethod,
    pool::{Bulk, Pool},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    door::{Door, visit},
    two,
};

/// The pool still has somebody who waits for it while nobody asks for anything.
fn check_is_driven<T: Bulk>(pool: &Pool<T>) {
    let (tell, told) = mpsc::channel();
    let result = pool.apply_async(|x: u64| x + 1, 1).on_result(move |&x| tell.send(x).unwrap());
    assert_eq!(told.recv().unwrap(), 2);
    assert_eq!(result.get().unwrap(), 2);
}

/// Cannot be dropped.
#[derive(Serialize, Deserialize)]
struct Explosive(u64);

impl Drop for Explosive {
    fn drop(&mut self) {
        panic!("it is dropped");
    }
}

fn defuse(explosive: Explosive) -> u64 {
    let number = explosive.0;
    std::mem::forget(explosive);
    number
}

pub fn arguments_whose_drop_panics_cost_nothing<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    let (tell, told) = mpsc::channel();
    let tells = move |sum: &Vec<u64>| tell.send(sum.iter().sum::<u64>()).unwrap();
    let several = pool.map_async(defuse, (1..4).map(Explosive)).on_result(tells);
    assert_eq!(told.recv().unwrap(), 6);
    assert_eq!(several.get().unwrap(), [1, 2, 3]);
    check_is_driven(&pool);
    // Nobody asks for this one.
    drop(pool.map_async(defuse, (1..4).map(Explosive)));
    check_is_driven(&pool);
    assert_eq!(pool.apply(defuse, Explosive(4)).unwrap(), 4);
    let stream: Result<Vec<u64>, _> = pool.imap(defuse, (1..4).map(Explosive)).collect();
    assert_eq!(stream.unwrap(), [1, 2, 3]);
    pool.shutdown().unwrap();
}

struct Screaming;

impl Wake for Screaming {
    fn wake(self: Arc<Self>) {
        panic!("it is woken");
    }
}

pub fn a_waker_that_panics_costs_nothing<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    let mut door = Door::new();
    let mut result = pin!(pool.apply_async(visit, door.way_in()));
    let waker = Waker::from(Arc::new(Screaming));
    assert!(result.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    door.open(1);
    // Woken before or behind this.
    while !result.is_ready() {
        check_is_driven(&pool);
    }
    check_is_driven(&pool);
    assert!(result.get_timeout(std::time::Duration::ZERO).is_ok());
    pool.shutdown().unwrap();
}

pub fn of_all_who_poll_a_result_the_last_is_woken<T: Bulk>(method: StartMethod) {
    struct Counting(AtomicU64);
    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }
    let pool = two::<T>(method);
    let mut door = Door::new();
    let mut result = pin!(pool.apply_async(visit, door.way_in()));
    let wakers: Vec<_> = (0..100).map(|_| Arc::new(Counting(AtomicU64::new(0)))).collect();
    for waker in &wakers {
        let waker = Waker::from(Arc::clone(waker));
        assert!(result.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    let (last, before) = wakers.split_last().unwrap();
    assert!(before.iter().all(|waker| Arc::strong_count(waker) == 1), "wakers pile up");
    door.open(1);
    assert!(result.wait(None));
    while last.0.load(Relaxed) == 0 {
        // Whoever leads tells everybody else first.
        std::thread::yield_now();
    }
    assert!(before.iter().all(|waker| waker.0.load(Relaxed) == 0));
    pool.shutdown().unwrap();
}

/// What the types here do in the process of the test.
static ASK: Mutex<Option<Question>> = Mutex::new(None);
static ASKED: AtomicU64 = AtomicU64::new(0);

type Question = Arc<dyn Fn() + Send + Sync>;

fn ask() {
    let question = ASK.lock().unwrap().clone();
    if let Some(ask) = question {
        ask();
        ASKED.fetch_add(1, Relaxed);
    }
}

/// A pool that [`ask`] asks.
fn asked<T: Bulk>(method: StartMethod) -> Arc<Pool<T>> {
    let pool = Arc::new(two::<T>(method));
    let theirs = Arc::clone(&pool);
    let ask = move || _ = theirs.statistics();
    *ASK.lock().unwrap() = Some(Arc::new(ask));
    pool
}

/// Ends a pool that [`ask`] has asked.
fn end<T: Bulk>(pool: Arc<Pool<T>>) {
    pool.close();
    pool.join().unwrap();
    let question = ASK.lock().unwrap().take();
    drop(question);
    assert_eq!(Arc::strong_count(&pool), 1, "it is not ended here");
}

/// Asks the pool when it is dropped.
#[derive(Clone, Serialize, Deserialize)]
struct Parting(u64);

impl Drop for Parting {
    fn drop(&mut self) {
        ask();
    }
}

fn same(parting: Parting) -> Parting {
    parting
}

pub fn a_drop_may_ask_the_pool<T: Bulk>(method: StartMethod) {
    let pool = asked::<T>(method);
    let several = || (0..10).map(Parting);
    // Argument and result.
    assert_eq!(pool.apply(same, Parting(3)).unwrap().0, 3);
    assert_eq!(ASKED.load(Relaxed), 2);
    assert_eq!(pool.map(same, several()).unwrap().len(), 10);
    assert_eq!(ASKED.load(Relaxed), 22);
    // Shown, and not asked for.
    let (tell, told) = mpsc::channel();
    drop(pool.map_async(same, several()).on_result(move |_| tell.send(()).unwrap()));
    told.recv().unwrap();
    check_is_driven(&pool);
    // Not asked for.
    drop(pool.map_async(same, several()));
    check_is_driven(&pool);
    // Consumed in part.
    let picky = |parting: Parting| assert_ne!(parting.0, 2, "this is printed");
    let outcomes: Vec<_> = pool.imap(picky, several()).take(5).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_err()).count(), 1);
    assert_eq!(pool.imap_unordered(same, several()).take(5).count(), 5);
    assert!(matches!(pool.map(picky, several()), Err(Error::TaskPanicked { .. })));
    assert_eq!(pool.map_outcomes(picky, several()).unwrap().len(), 10);
    // Cancelled.
    let cancelled = pool.map_async(same, several());
    cancelled.cancel();
    drop(cancelled);
    // Not accepted.
    pool.close();
    assert!(matches!(pool.map(same, several()), Err(Error::PoolClosed)));
    assert_eq!(pool.imap(same, several()).count(), 1);
    end(pool);
}

/// Asks a pool when it is encoded or decoded.
struct Nosy(u64);

impl Serialize for Nosy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ask();
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Nosy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ask();
        u64::deserialize(deserializer).map(Self)
    }
}

pub fn a_value_that_asks_its_own_pool_is_an_error_and_no_hang<T: Bulk>(method: StartMethod) {
    let own = asked::<T>(method);
    let other = two::<T>(method);
    let to_number = |nosy: Nosy| nosy.0;
    let check = |outcome: Result<(), Error>, of: &str| match outcome {
        Err(Error::TaskValue { task: 0, what, why }) => {
            assert!(what == of && why.contains("asks the pool"), "{what}: {why}");
        }
        outcome => panic!("{outcome:?}"),
    };
    check(own.apply(to_number, Nosy(3)).map(drop), "argument");
    check(own.apply(Nosy, 3).map(drop), "result");
    check(own.imap(to_number, [Nosy(3)]).next().unwrap().map(drop), "argument");
    // It may ask any other one.
    assert_eq!(other.apply(to_number, Nosy(3)).unwrap(), 3);
    assert_eq!(other.apply(Nosy, 4).unwrap().0, 4);
    // Nothing is left of that.
    check_is_driven(&own);
    other.shutdown().unwrap();
    end(own);
}

pub fn the_drop_of_a_waker_may_ask_the_pool<T: Bulk>(method: StartMethod) {
    struct Asking;
    impl Wake for Asking {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Asking {
        fn drop(&mut self) {
            ask();
        }
    }
    let pool = asked::<T>(method);
    let mut door = Door::new();
    let mut result = Box::pin(pool.apply_async(visit, door.way_in()));
    for _ in 0..3 {
        let waker = Waker::from(Arc::new(Asking));
        assert!(result.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    // Each was replaced by the next.
    assert_eq!(ASKED.load(Relaxed), 2);
    drop(result);
    door.open(1);
    check_is_driven(&pool);
    end(pool);
    assert_eq!(ASKED.load(Relaxed), 3);
}
