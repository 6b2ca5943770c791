//! A process pool with payloads and dispatch in shared memory
