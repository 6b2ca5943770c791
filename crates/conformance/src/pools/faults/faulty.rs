//! A transport whose workers die, or do worse, at a read or write of choice.

use std::{
    collections::VecDeque,
    io::{self, IoSlice, Read, Write},
    os::fd::{BorrowedFd, OwnedFd},
    sync::Mutex,
    thread,
    time::Duration,
};

use multiproc::{
    Error, Result,
    pool::{Port, Transport},
};
use serde::{Deserialize, Serialize};

use super::die;

/// What goes wrong in a worker, and when.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Fault {
    pub(super) at: Step,
    pub(super) what: Misdeed,
}

/// A read or write of its streams, counted from 1. The first write says that
/// the worker is ready, the first read brings its first task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Step {
    Read(u32),
    Write(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Misdeed {
    DieBefore,
    /// When some of it is done.
    DieWithin,
    DieAfter,
    /// Writes these bytes over the beginning of what it should write.
    Write([u8; 16]),
    /// Writes a quarter of it, and goes on as if nothing were missing.
    Forget,
    /// Closes its streams and lives on.
    HangUp,
}

/// What is to go wrong in the workers that are still to be started, in their order.
static PLANS: Mutex<VecDeque<Option<Fault>>> = Mutex::new(VecDeque::new());

/// The workers that are started next have these faults, if any; all others
/// have none.
pub(super) fn plan(faults: impl IntoIterator<Item = Option<Fault>>) {
    PLANS.lock().expect("nobody panics with it").extend(faults);
}

/// A kind of pool whose workers can be made to fail.
#[derive(Debug)]
pub(super) struct Faulty<T>(T);

impl<T: Transport> Transport for Faulty<T> {
    const NAME: &'static str = T::NAME;
    type Stream = T::Stream;
    type Port = FaultyPort<T::Port>;

    fn new() -> Result<Self> {
        T::new().map(Self)
    }

    /// The fault goes to the worker through a pipe of its own.
    fn connect(&self) -> Result<(T::Stream, Vec<OwnedFd>)> {
        let fault = PLANS.lock().expect("nobody panics with it").pop_front().flatten();
        let (stream, mut descriptors) = self.0.connect()?;
        let told = || -> io::Result<OwnedFd> {
            let (reader, mut writer) = io::pipe()?;
            serde_json::to_writer(&mut writer, &fault)?;
            Ok(reader.into())
        };
        let told = told().map_err(|source| Error::System { what: "plan a fault", source })?;
        descriptors.push(told);
        Ok((stream, descriptors))
    }

    fn open(mut descriptors: Vec<OwnedFd>) -> Result<FaultyPort<T::Port>> {
        let told = descriptors.pop().expect("the fault is told");
        let fault = serde_json::from_reader(io::PipeReader::from(told)).expect("it was written");
        Ok(FaultyPort { port: Some(T::open(descriptors)?), fault, reads: 0, writes: 0 })
    }

    fn doorbell(&self) -> Option<BorrowedFd<'_>> {
        self.0.doorbell()
    }

    fn hush(&self) {
        self.0.hush();
    }
}

/// A worker's side of its streams.
#[derive(Debug)]
pub(super) struct FaultyPort<P> {
    /// Until it hangs up.
    port: Option<P>,
    fault: Option<Fault>,
    reads: u32,
    writes: u32,
}

impl<P: Port> FaultyPort<P> {
    fn port(&mut self) -> &mut P {
        self.port.as_mut().expect("it has not hung up")
    }

    /// What is to be done wrong at this step.
    fn misdeed(&self, step: Step) -> Option<Misdeed> {
        self.fault.filter(|fault| fault.at == step).map(|fault| fault.what)
    }

    fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.port().write_all(bytes)?;
        self.port().flush()
    }

    fn hang_up(&mut self) -> ! {
        self.port = None;
        loop {
            thread::sleep(Duration::from_secs(3600));
        }
    }
}

impl<P: Port> Port for FaultyPort<P> {
    const WRITES_ARE_CHEAP: bool = P::WRITES_ARE_CHEAP;

    fn set_spin(&mut self, limit: Duration) {
        self.port().set_spin(limit);
    }
}

impl<P: Port> Read for FaultyPort<P> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.reads += 1;
        match self.misdeed(Step::Read(self.reads)) {
            Some(Misdeed::DieBefore) => die(),
            // Less than the header of a request.
            Some(Misdeed::DieWithin) => {
                self.port().read_exact(&mut into[..9])?;
                die()
            }
            Some(Misdeed::DieAfter) => {
                self.port().read(into)?;
                die()
            }
            Some(Misdeed::HangUp) => {
                self.port().read(into)?;
                self.hang_up()
            }
            Some(Misdeed::Write(_) | Misdeed::Forget) | None => self.port().read(into),
        }
    }
}

impl<P: Port> Write for FaultyPort<P> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.writes += 1;
        match self.misdeed(Step::Write(self.writes)) {
            Some(Misdeed::DieBefore) => die(),
            Some(Misdeed::DieWithin) => {
                self.say(&from[..from.len() / 4])?;
                die()
            }
            Some(Misdeed::DieAfter) => {
                self.say(from)?;
                die()
            }
            Some(Misdeed::Write(rubbish)) => {
                let mut bytes = from.to_vec();
                bytes[..rubbish.len()].copy_from_slice(&rubbish);
                self.port().write_all(&bytes)?;
                Ok(from.len())
            }
            Some(Misdeed::Forget) => {
                self.port().write_all(&from[..from.len() / 4])?;
                Ok(from.len())
            }
            Some(Misdeed::HangUp) => self.hang_up(),
            None => self.port().write(from),
        }
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.misdeed(Step::Write(self.writes + 1)).is_none() {
            self.writes += 1;
            // To put megabytes together again for each piece that there is room
            // for takes a minute.
            return self.port().write_vectored(parts);
        }
        self.write(&parts.iter().flat_map(|part| &**part).copied().collect::<Vec<_>>())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.port().flush()
    }
}
