//! Synchronisation between processes.

mod mutex;
mod wait_queue;
