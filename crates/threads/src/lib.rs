//! Strategies on std threads: a persistent pool with a shared queue, and a scoped static split
