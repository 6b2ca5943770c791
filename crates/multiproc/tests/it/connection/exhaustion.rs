//! Messages for which there are no descriptors or no memory left.

use std::fs::File;

use multiproc::{Descriptor, Error, one_way_pipe, pipe};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::in_a_process_of_its_own;

/// Takes all descriptors that this process may have but `but`.
fn take_all_descriptors(but: usize) -> Vec<File> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 64, hard).unwrap();
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }
    taken.truncate(taken.len() - but);
    taken
}

fn null() -> Descriptor {
    File::open("/dev/null").unwrap().into()
}

#[test]
fn a_receiver_without_descriptors_loses_that_message_and_no_other() {
    in_a_process_of_its_own(|| {
        let (one, other) = pipe().unwrap();
        let large = "x".repeat(100_000);
        for free in [0, 2] {
            one.send(&[null(), null(), null()]).unwrap();
            one.send("small").unwrap();
            one.send(&(&large, [null(), null()])).unwrap();
            one.send_bytes(b"small").unwrap();
            one.send(&[null(), null(), null()]).unwrap();
            one.send(&large).unwrap();

            let taken = take_all_descriptors(free);
            let error = other.recv::<[Descriptor; 3]>().unwrap_err();
            assert!(error.to_string().contains("help: raise the limit of open files"), "{error}");
            assert_eq!(other.recv::<String>().unwrap(), "small");
            let error = other.recv::<(String, [Descriptor; 2])>().unwrap_err();
            assert!(error.to_string().contains("help: raise the limit of open files"), "{error}");
            assert_eq!(other.recv_bytes().unwrap(), b"small");
            drop(taken);
            assert_eq!(other.recv::<[Descriptor; 3]>().unwrap().len(), 3);
            assert!(other.recv::<String>().unwrap() == large);
        }
    });
}

#[test]
fn a_sender_without_descriptors_is_told_and_can_still_send_what_needs_none() {
    in_a_process_of_its_own(|| {
        let (one, other) = pipe().unwrap();
        let large = "x".repeat(100_000);
        let file = null();
        let taken = take_all_descriptors(0);
        for error in [
            one.send(&file).unwrap_err(),
            one.send(&large).unwrap_err(),
            one.send_bytes(large.as_bytes()).unwrap_err(),
            one.try_clone().unwrap_err(),
            pipe().unwrap_err(),
            one_way_pipe().unwrap_err(),
        ] {
            assert!(error.to_string().contains("help: raise the limit of open files"), "{error}");
        }
        one.send("small").unwrap();
        assert_eq!(other.recv::<String>().unwrap(), "small");
        drop(taken);
        one.send(&(file, &large)).unwrap();
        assert!(other.recv::<(Descriptor, String)>().unwrap().1 == large);
    });
}

#[test]
fn a_message_for_which_there_is_no_memory_is_an_error_before_anything_is_sent() {
    in_a_process_of_its_own(|| {
        let (one, other) = pipe().unwrap();
        // A terabyte of address space without memory behind it.
        let len = std::num::NonZeroUsize::new(1 << 40).unwrap();
        use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE;
        // SAFETY: a new mapping.
        let base = unsafe { mmap_anonymous(None, len, ProtFlags::PROT_READ, flags) }.unwrap();
        // SAFETY: mapped for reading just now, and nobody writes.
        let huge = unsafe { std::slice::from_raw_parts(base.as_ptr().cast::<u8>(), len.get()) };
        let error = one.send_bytes(huge).unwrap_err();
        assert!(matches!(error, Error::Memory { bytes, .. } if bytes == len.get()), "{error}");
        assert!(error.to_string().contains("help:"), "{error}");
        // SAFETY: the slice is not used again.
        unsafe { munmap(base, len.get()) }.unwrap();

        // The kernel would end this process by SIGXFSZ.
        let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
        setrlimit(Resource::RLIMIT_FSIZE, 1 << 20, hard).unwrap();
        let large = "x".repeat(2 << 20);
        for error in [one.send(&large).unwrap_err(), one.send_bytes(large.as_bytes()).unwrap_err()]
        {
            assert!(matches!(error, Error::Memory { .. }), "{error}");
        }
        one.send(&large[..1 << 19]).unwrap();
        assert_eq!(other.recv::<String>().unwrap().len(), 1 << 19);
    });
}

#[test]
fn a_receiver_without_memory_loses_that_message_and_no_other() {
    in_a_process_of_its_own(|| {
        let (one, other) = pipe().unwrap();
        let large = vec![7; 256 << 20];
        one.send_bytes(&large).unwrap();
        drop(large);
        one.send_bytes(b"small").unwrap();
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages: u64 = statm.split(' ').next().unwrap().parse().unwrap();
        let (_, hard) = getrlimit(Resource::RLIMIT_AS).unwrap();
        setrlimit(Resource::RLIMIT_AS, pages * 4096 + (64 << 20), hard).unwrap();
        let error = other.recv_bytes().unwrap_err();
        assert!(matches!(error, Error::Memory { bytes: 0x1000_0000, .. }), "{error}");
        assert_eq!(other.recv_bytes().unwrap(), b"small");
        setrlimit(Resource::RLIMIT_AS, hard, hard).unwrap();
    });
}
