//! Processes, shared memory and pool machinery: Python's multiprocessing for
//! Rust.
//!
//! A program that uses this crate, directly or through a pool, calls
//! [`init`] on the first line of its `main`: its child processes start there
//! and never return.
//!
//! What crosses to a child process is never code but the place of a function
//! in the executable, which parent and child share: see [`EntryPoint`] for
//! what a child runs and [`TaskFn`] for what a worker executes again and
//! again. Both accept plain functions and closures that capture nothing; a
//! closure that captures is a compile error.
//!
//! This is the only crate of the workspace with `unsafe` code. Each module
//! states the invariant that its blocks rest on.

mod atomic;
mod board;
mod bootstrap;
mod code;
mod codec;
mod connection;
mod context;
mod crew;
mod descriptors;
mod error;
mod event_fd;
mod futex;
mod memory;
mod pool;
mod process;
mod queue;
mod shared;
mod socket;
mod start_method;
mod sync;
mod task;

pub use board::{Board, BoardArray, RegionId, Stretch};
pub use bootstrap::init;
pub use code::EntryPoint;
pub use connection::{Connection, Descriptor, Receiver, Sender, one_way_pipe, pipe, wait};
pub use context::{Context, context};
pub use crew::{Crew, cpu_count, host_cpu_count};
pub use descriptors::ParentEnd;
pub use error::{Error, Result};
pub use event_fd::EventFd;
pub use memory::SharedMemory;
pub use pool::{Builder, PoolConfig, SHUTDOWN_PATIENCE, Startable};
pub use process::{
    ActiveChild, Child, CurrentProcess, ExitStatus, Inheritance, ParentProcess, Process,
    active_children, current_process, parent_process, start,
};
pub use queue::{Items, JoinableQueue, Queue, SimpleQueue};
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
