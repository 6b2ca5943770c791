//! Python's multiprocessing for Rust, without its hangs.
//!
//! Processes that call a function with arguments of their own, and everything
//! that such processes need to talk to each other: connections, queues, locks,
//! shared memory, a manager of ordinary values. What is known from Python's
//! module works here under the same names ([the table](#coming-from-python));
//! what hangs, leaks or is lost there when a process dies does not here.
//!
//! ```
//! use multiproc::{Process, Queue};
//!
//! fn cubes(queue: Queue<u64>) {
//!     for number in 1..=3u64 {
//!         queue.put(&number.pow(3)).unwrap();
//!     }
//! }
//!
//! fn main() -> multiproc::Result<()> {
//!     multiproc::init(); // child processes start here and never return
//!     let queue = Queue::new()?;
//!     let mut process = Process::new(cubes, queue.clone());
//!     process.start()?;
//!     assert_eq!([queue.get()?, queue.get()?, queue.get()?], [1, 8, 27]);
//!     process.join()
//! }
//! ```
//!
//! # Starting
//!
//! [`init`] is the first line of `main`: a child that is started afresh is the
//! same program, and leaves its course there. What stands before it every
//! child does too. If a child does not come to it, it cannot start processes
//! of its own ([`Error::InitNotReached`]), so nothing multiplies, and its
//! parent is told ([`Error::NeverBegan`]).
//!
//! Where `main` is not yours, nothing is needed: in tests, doc tests and
//! criterion, and in programs that never call `init`, children begin before
//! `main`. So `cargo test` works as it is, with all start methods but one
//! limit: its tests run on threads, and a process with threads cannot be
//! forked ([`Error::ForkWithThreads`] says so). A test of `fork` starts a
//! process by `spawn` and forks from there.
//!
//! The [start methods](StartMethod) do the same thing at different prices. All
//! of them hand over arguments and nothing else, so a program that works with
//! one works with the others, and they can be mixed. [`set_start_method`]
//! changes the default once; a [`Context`] has its own. What differs: children
//! of the fork server have the environment, directory, umask, limits and
//! affinity that this process had when the server was launched, at the first
//! start that needed it. No child has its parent's standard input.
//!
//! # What crosses to another process
//!
//! - **Functions** as their place in the executable, which all processes of a
//!   program share: plain functions and closures that capture nothing. A
//!   closure that captures is a compile error.
//! - **Values** through serde, in the postcard format: everything that is
//!   `Serialize` and `DeserializeOwned`, except what asks the format what
//!   comes next (untagged enums, `serde_json::Value`).
//! - **Handles** of this crate, alone or inside values, as arguments, as
//!   return values and over connections. Every one is a descriptor without a
//!   name; with its last copy in any process the thing itself is gone (memory
//!   that a forked child has inherited only when the child has ended).
//!
//! A handle reaches a child through its arguments, whatever the start method:
//! a forked child gives up the descriptors of this crate that it inherits, so
//! that end of file means that everybody has gone. Handles in its parent's
//! `static`s are of no use to it ([`Error::NotInherited`]). Files that the
//! program has opened by other means it does inherit. In Python's words, there
//! is no inheritance of global variables.
//!
//! # What if somebody dies
//!
//! Whoever is killed, wherever: nobody else waits for ever, nothing is read
//! half-written, and nothing is left.
//!
//! - A process that ends in any way is noticed at once
//!   ([`Process::join`], [`Process::sentinel`]); a panic arrives with message,
//!   file and line ([`Process::result`]).
//! - The owner of a lock: the next taker gets it and is told ([`OwnerDied`]).
//! - A writer: a message and an item are there whole or not at all.
//! - The parent: the kernel ends its children, and theirs.
//!
//! The READMEs in the folders of the source say for each protocol why.
//!
//! # Pools
//!
//! [`pool::Pool`] is the whole of a process pool but the way that bytes take to
//! a worker and back: that is a [`pool::Transport`]. The crates `pipe-pool` and
//! `shm-pool` each have one, and say when to choose which. A function that is to
//! work with any of them is generic:
//!
//! ```
//! use multiproc::pool::{Bulk, Pool};
//!
//! fn cubes<T: Bulk>(pool: &Pool<T>) -> multiproc::Result<Vec<u64>> {
//!     pool.map(|x: u64| x.pow(3), 1..=6)
//! }
//! ```
//!
//! One kill costs at most one task: the one that the worker executed has failed
//! with [`Error::WorkerDied`], or is begun again if it may be
//! ([`pool::Builder::retries`]). The worker is replaced, and nobody else loses
//! anything.
//!
//! This is the only crate of the workspace with `unsafe` code. Each module
//! states the invariant that its blocks rest on.
//!
#![doc = include_str!("python.md")]

mod atomic;
mod bootstrap;
mod bulk;
mod code;
mod codec;
mod connection;
mod context;
mod descriptors;
mod error;
mod event_fd;
mod futex;
mod looking;
mod manager;
mod memory;
mod polling;
pub mod pool;
mod prefetching;
mod process;
mod processors;
mod queue;
mod ring;
mod shared;
mod socket;
mod start_method;
mod sync;
mod task;

pub use bootstrap::init;
pub use bulk::PoolArray;
pub use code::EntryPoint;
pub use connection::{Connection, Descriptor, Receiver, Sender, one_way_pipe, pipe, wait};
pub use context::{Context, context};
pub use descriptors::ParentEnd;
pub use error::{Error, Result};
pub use event_fd::EventFd;
pub use manager::{
    CounterProxy, DictProxy, ListProxy, Manager, ManagerBuilder, ManagerHandle, Portable, Proxy,
    ValueProxy,
};
pub use memory::SharedMemory;
pub use process::{
    ActiveChild, Child, CurrentProcess, ExitStatus, Inheritance, ParentProcess, Process,
    SHUTDOWN_PATIENCE, active_children, current_process, parent_process, start,
};
pub use processors::{cpu_count, host_cpu_count};
pub use queue::{Items, JoinableQueue, Queue, SimpleQueue};
pub use ring::{RingPort, RingStream, SharedMemoryRings};
pub use shared::{
    Integer, Item, RawArray, RawValue, ShareableList, SharedArray, SharedArrayGuard, SharedValue,
    SharedValueGuard,
};
pub use start_method::{StartMethod, UnknownStartMethod, default_start_method, set_start_method};
pub use sync::{
    AcquireError, Barrier, BoundedSemaphore, Condition, ConditionGuard, ConditionLock, Event, Lock,
    LockGuard, OwnerDied, Permit, RLock, RLockGuard, Semaphore, WhyBroken,
};
pub use task::{TaskFn, TaskPanic, Token};
