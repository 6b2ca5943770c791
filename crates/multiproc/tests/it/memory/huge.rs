//! Five gibibytes at once, where there is not room for them.

use multiproc::{Error, Queue, RawArray, SharedArray, SharedMemory, pipe};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::in_a_process_of_its_own;

const HUGE: usize = 5 << 30;

/// A mebibyte, encoded; nothing in memory.
#[derive(Clone)]
struct Mebibyte;

impl Serialize for Mebibyte {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        static BYTES: [u8; 1 << 20] = [0; 1 << 20];
        serializer.serialize_bytes(&BYTES)
    }
}

impl<'de> Deserialize<'de> for Mebibyte {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        assert_eq!(Vec::<u8>::deserialize(deserializer)?.len(), 1 << 20);
        Ok(Self)
    }
}

fn mebibytes(bytes: usize) -> Vec<Mebibyte> {
    vec![Mebibyte; bytes >> 20]
}

/// Does `work` under a limit that is lifted afterwards.
fn limited(resource: Resource, limit: u64, work: impl FnOnce()) {
    let (before, hard) = getrlimit(resource).unwrap();
    setrlimit(resource, limit, hard).unwrap();
    work();
    setrlimit(resource, before, hard).unwrap();
}

/// What this process has mapped, in bytes, and `more`.
fn address_space_and(more: u64) -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096 + more
}

fn refused(outcome: multiproc::Result<()>) {
    let error = outcome.unwrap_err();
    assert!(matches!(error, Error::Memory { .. }), "{error}");
    assert!(error.to_string().contains("help:"), "{error}");
}

#[test]
fn a_huge_item_fails_its_put_and_nothing_else() {
    in_a_process_of_its_own(|| {
        let queue = Queue::<Vec<Mebibyte>>::new().unwrap();
        queue.put(&mebibytes(1 << 20)).unwrap();
        limited(Resource::RLIMIT_AS, address_space_and(256 << 20), || {
            // Twice: the first attempt has not used anything up.
            refused(queue.put(&mebibytes(HUGE)));
            refused(queue.put(&mebibytes(HUGE)));
            queue.put(&mebibytes(2 << 20)).unwrap();
        });
        let lengths = [(); 2].map(|()| queue.get().unwrap().len());
        assert_eq!(lengths, [1, 2]);
        assert!(queue.is_empty());
    });
}

#[test]
fn a_huge_message_fails_its_send_and_nothing_else() {
    in_a_process_of_its_own(|| {
        let (one, other) = pipe().unwrap();
        one.send(&"first").unwrap();
        // Zeros of the kernel's, of which none is touched before the refusal.
        let huge = vec![0; HUGE];
        limited(Resource::RLIMIT_FSIZE, 64 << 20, || {
            refused(one.send_bytes(&huge));
            refused(one.send(&mebibytes(HUGE)));
            one.send(&mebibytes(8 << 20)).unwrap();
        });
        assert_eq!(other.recv::<String>().unwrap(), "first");
        assert_eq!(other.recv::<Vec<Mebibyte>>().unwrap().len(), 8);
    });
}

#[test]
fn huge_shared_memory_is_refused_and_what_is_small_can_be_had() {
    in_a_process_of_its_own(|| {
        for more in [64 << 20, 1 << 30] {
            limited(Resource::RLIMIT_AS, address_space_and(more), || {
                refused(SharedMemory::new(HUGE).map(drop));
                refused(SharedArray::<u64>::new(HUGE / 8).map(drop));
                refused(RawArray::<u64>::new(HUGE / 8).map(drop));
                SharedMemory::new(4 << 20).unwrap();
            });
        }
        limited(Resource::RLIMIT_FSIZE, 1 << 30, || refused(SharedMemory::new(HUGE).map(drop)));
    });
}
