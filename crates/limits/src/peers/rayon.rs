//! Rayon, in every configuration that its experts know.

use std::{
    sync::mpsc::{Sender, channel},
    thread::{self, JoinHandle},
};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::{
    machine::{WORKERS, pin, two_cores},
    trouble::Result,
};

/// How a pool of rayon's is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setup {
    /// Whether each thread stays on a core of its own.
    is_pinned: bool,
    /// Whether the thread that asks is one of the pool's.
    uses_current: bool,
}

impl Setup {
    /// What one gets without asking for anything.
    pub(crate) const DEFAULT: Self = Self { is_pinned: false, uses_current: false };

    /// All of them.
    pub(crate) const ALL: [Self; 4] = [
        Self::DEFAULT,
        Self { is_pinned: true, uses_current: false },
        Self { is_pinned: false, uses_current: true },
        Self { is_pinned: true, uses_current: true },
    ];

    pub(crate) fn name(self) -> String {
        match (self.is_pinned, self.uses_current) {
            (false, false) => "rayon, default".to_owned(),
            (true, false) => "rayon, pinned".to_owned(),
            (false, true) => "rayon, use_current_thread".to_owned(),
            (true, true) => "rayon, pinned, use_current_thread".to_owned(),
        }
    }
}

type Order = Box<dyn FnOnce(&ThreadPool) + Send>;

/// A pool of two threads, and the thread that it is asked from: that may be
/// pinned, and be one of the two, without this being felt elsewhere.
pub(crate) struct Rayon {
    orders: Option<Sender<Order>>,
    host: Option<JoinHandle<()>>,
}

impl Rayon {
    pub(crate) fn start(setup: Setup) -> Result<Self> {
        let cores = two_cores()?;
        let (orders, received) = channel::<Order>();
        let (ready, is_ready) = channel();
        let host = thread::spawn(move || {
            let mut builder = ThreadPoolBuilder::new().num_threads(WORKERS);
            if setup.uses_current {
                builder = builder.use_current_thread();
            }
            if setup.is_pinned {
                pin(cores[0]);
                builder = builder.start_handler(move |thread| pin(cores[thread % WORKERS]));
            }
            match builder.build() {
                Ok(pool) => {
                    let _ = ready.send(Ok(()));
                    received.into_iter().for_each(|order| order(&pool));
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        });
        is_ready.recv().expect("the host says how it went")?;
        Ok(Self { orders: Some(orders), host: Some(host) })
    }

    /// What `work` makes of the pool, on the thread that it is asked from.
    ///
    /// # Panics
    ///
    /// If `work` does.
    pub(crate) fn ask<R: Send + 'static>(
        &self,
        work: impl FnOnce(&ThreadPool) -> R + Send + 'static,
    ) -> R {
        let (tell, told) = channel();
        let order: Order = Box::new(move |pool| drop(tell.send(work(pool))));
        self.orders.as_ref().and_then(|orders| orders.send(order).ok()).expect("the host lives");
        told.recv().expect("the work does not panic")
    }
}

impl Drop for Rayon {
    fn drop(&mut self) {
        self.orders = None;
        // A panic there was one here already.
        self.host.take().map(JoinHandle::join);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::rayon::prelude::*;

    #[test]
    fn every_setup_has_two_threads_and_computes() {
        for setup in Setup::ALL {
            let Ok(rayon) = Rayon::start(setup) else { continue };
            let (threads, sum) = rayon.ask(|pool| {
                let sum = pool
                    .install(|| (0..101u32).into_par_iter().with_max_len(1).map(u64::from).sum());
                (pool.current_num_threads(), sum)
            });
            assert_eq!((threads, sum), (WORKERS, 5050u64), "{}", setup.name());
        }
    }
}
