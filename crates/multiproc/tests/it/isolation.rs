//! A process of its own for a test, which must leave nothing behind.

use std::time::{Duration, Instant};

use multiproc::{EntryPoint, Inheritance, StartMethod};
use nix::{
    sys::signal::{SigHandler, Signal, killpg, signal},
    unistd::{Pid, setpgid},
};

/// Longer than anything here takes on a machine that is not on fire.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(60);

/// How long processes that were killed may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(2);

/// Runs `test` once with every start method, each time in a process of its
/// own, which has a single thread and leads its own process group.
///
/// Panics if it panics, hangs, or leaves a descriptor or a process behind.
pub(crate) fn with_every_start_method<F>(test: F)
where
    F: Fn(StartMethod) + Copy + Send + 'static,
{
    for method in StartMethod::ALL {
        eprintln!("with {method}:");
        isolated(vec![method as u8], move |payload| test(StartMethod::ALL[payload[0] as usize]));
    }
}

/// Runs `test` in a process of its own.
pub(crate) fn in_a_process_of_its_own<F: Fn() + Copy + Send + 'static>(test: F) {
    isolated(Vec::new(), move |_| test());
}

fn isolated<F: Fn(Vec<u8>) + Copy + Send + 'static>(payload: Vec<u8>, test: F) {
    let entry = EntryPoint::new(move |inheritance: Inheritance| {
        setpgid(Pid::from_raw(0), Pid::from_raw(0)).unwrap();
        // What a shell starts in the background ignores it, and all below that.
        // SAFETY: the default action is no code.
        unsafe { signal(Signal::SIGINT, SigHandler::SigDfl) }.unwrap();
        // The fork server lives as long as the process: not what a test leaves behind.
        let nothing = EntryPoint::new(|_| ());
        crate::end_of(&mut crate::start(StartMethod::ForkServer, nothing, Inheritance::default()));
        let before = open_descriptors();
        test(inheritance.payload);
        let after = open_descriptors();
        // By number only: a fork server that was replaced has another socket.
        assert_eq!(after.len(), before.len(), "before: {before:?}, after: {after:?}");
    });
    let inheritance = Inheritance { payload, descriptors: Vec::new() };
    let mut process = crate::start(StartMethod::Spawn, entry, inheritance);
    let group = process.pid();
    let status = process.wait(Some(WATCHDOG)).unwrap();
    let members = members(group);
    if status.is_none() {
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    let status = status.unwrap_or_else(|| panic!("the test hangs; its processes: {members:#?}"));
    assert!(status.success(), "the isolated test {status}; its message is above");
    leaves_nothing(group);
}

pub(crate) fn leaves_nothing(group: i32) {
    let deadline = Instant::now() + GONE_WITHIN;
    while !members(group).is_empty() {
        if Instant::now() > deadline {
            let left = members(group);
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
            panic!("processes are left behind: {left:#?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Descriptor numbers and what they lead to, except the directory that is
/// being read for it.
pub(crate) fn open_descriptors() -> Vec<String> {
    std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .flatten()
        .filter_map(|fd| Some((fd.file_name(), std::fs::read_link(fd.path()).ok()?)))
        .map(|(number, target)| format!("{} {}", number.display(), target.display()))
        .filter(|fd| !fd.contains("/proc/"))
        .collect()
}

/// The group's processes: the content of their `/proc/PID/stat` up to the
/// state. Zombies count as gone: their parent has not looked yet.
pub(crate) fn members(group: i32) -> Vec<String> {
    let stats = std::fs::read_dir("/proc").unwrap().flatten();
    let stats = stats.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    stats
        .filter(|stat| {
            let Some((_, fields)) = stat.rsplit_once(')') else { return false };
            let fields: Vec<&str> = fields.split_whitespace().collect();
            fields[0] != "Z" && fields[2].parse() == Ok(group)
        })
        .map(|stat| stat.chars().take_while(|&c| c != ')').collect())
        .collect()
}
