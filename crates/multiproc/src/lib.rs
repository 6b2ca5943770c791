//! Processes, shared memory and pool machinery: Python's multiprocessing for Rust
