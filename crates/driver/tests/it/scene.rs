//! A folder of its own for each test, and a driver that cannot hang it.

use std::{
    ffi::OsStr,
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use harness::record::{Outcome, Record, RoundRecord};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Far beyond what any of these tests takes: it only ends a hang.
const WATCHDOG: Duration = Duration::from_secs(120);

const DRIVER: &str = env!("CARGO_BIN_EXE_driver");

/// Variable by which a test finds every process that it caused.
const MARK: &str = "MANYHANDS_TEST_MARK";

/// A temporary folder in which drivers are run.
pub(crate) struct Scene {
    folder: tempfile::TempDir,
    mark: String,
}

/// How a driver ended.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Scene {
    pub(crate) fn new() -> Self {
        static SCENES: AtomicU32 = AtomicU32::new(0);
        // Unique among the tests of this process and among processes.
        let number = SCENES.fetch_add(1, Ordering::Relaxed);
        let mark = format!("{}-{number}", std::process::id());
        Self { folder: tempfile::tempdir().expect("a temporary folder"), mark }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a config and returns its path.
    pub(crate) fn config(&self, text: &str) -> String {
        let path = self.path("test.toml");
        fs::write(&path, text).expect("the config is written");
        path.display().to_string()
    }

    /// A driver in this folder, not started yet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(DRIVER);
        command.args(arguments);
        self.place(&mut command);
        command
    }

    /// The same where no file may be longer than so many blocks of 512 bytes, or of twice
    /// as many, as the shell has it.
    pub(crate) fn cramped_command(&self, blocks: u32, arguments: &[&str]) -> Command {
        let mut command = Command::new("sh");
        // A write that is too long is to be an error and not a signal.
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        command.args(["-c", &script, DRIVER]).args(arguments);
        self.place(&mut command);
        command
    }

    fn place(&self, command: &mut Command) {
        command.current_dir(self.folder.path()).env(MARK, &self.mark);
        // As one starts it who has not the sources at hand.
        command.env_remove("CARGO").env_remove("CARGO_MANIFEST_DIR");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    }

    /// Runs a driver to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> End {
        end_of(self.command(arguments).spawn().expect("the driver starts"))
    }

    /// Another program, in this folder, whose processes this test will find.
    pub(crate) fn program(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).env(MARK, &self.mark);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Processes that this test caused and that are still there.
    pub(crate) fn processes(&self) -> Vec<String> {
        let wanted = format!("{MARK}={}", self.mark);
        let entries = fs::read_dir("/proc").expect("/proc").flatten();
        let marked = entries.filter(|entry| {
            let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
            environment.split(|&byte| byte == 0).any(|variable| variable == wanted.as_bytes())
        });
        let described = marked.map(|entry| {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            format!("{:?}: {}", entry.file_name(), String::from_utf8_lossy(&line))
        });
        described.collect()
    }

    /// Asserts that within a second no process is left.
    pub(crate) fn is_left_by_all(&self) {
        let until = Instant::now() + Duration::from_secs(1);
        while !self.processes().is_empty() && Instant::now() < until {
            thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(self.processes(), Vec::<String>::new(), "processes are left");
    }
}

/// Waits for a driver's end; the watchdog kills one that does not end.
pub(crate) fn end_of(mut child: Child) -> End {
    let stdout = drain(child.stdout.take());
    let stderr = drain(child.stderr.take());
    let status = wait(&mut child);
    let (stdout, stderr) = (stdout.join().expect("stdout"), stderr.join().expect("stderr"));
    match status {
        Some(status) => End { code: status.code(), stdout, stderr },
        None => panic!("the driver hung\nstdout: {stdout}\nstderr: {stderr}"),
    }
}

fn wait(child: &mut Child) -> Option<ExitStatus> {
    let until = Instant::now() + WATCHDOG;
    while Instant::now() < until {
        if let Some(status) = child.try_wait().expect("wait") {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("kill");
    child.wait().expect("wait");
    None
}

fn drain(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            // What was read before an error is what there is to show.
            let _ = stream.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// As Ctrl-C does; SIGTERM if these tests were started with that ignored, in the
/// background of a script, for then drivers ignore it too.
pub(crate) fn interrupt(child: &Child) {
    let signal = Signal::SIGINT;
    send(child, if is_ignored(signal) { Signal::SIGTERM } else { signal });
}

pub(crate) fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().cast_signed()), signal).expect("the driver is there");
}

/// The whole lines of a sweep's records.
pub(crate) fn records(folder: &Path) -> Vec<Record> {
    let bytes = fs::read(folder.join("records.jsonl")).unwrap_or_default();
    if bytes.is_empty() {
        return Vec::new();
    }
    report::parse_records(bytes).expect("the records are sound").records
}

pub(crate) fn rounds(folder: &Path) -> Vec<RoundRecord> {
    let rounds = records(folder).into_iter().filter_map(|record| match record {
        Record::Round(round) => Some(round),
        _ => None,
    });
    rounds.collect()
}

/// Waits until the sweep in `folder` has taken `count` rounds.
pub(crate) fn wait_for_rounds(folder: &Path, count: usize) {
    let until = Instant::now() + WATCHDOG;
    while rounds(folder).len() < count {
        assert!(Instant::now() < until, "no {count} rounds in {}", folder.display());
        thread::sleep(Duration::from_millis(10));
    }
}

/// Every failure in the records, as `strategy: kind`.
pub(crate) fn failures(folder: &Path) -> Vec<String> {
    let all = records(folder);
    let block = all.iter().find_map(|record| match record {
        Record::Block(block) => Some(block.clone()),
        _ => None,
    });
    let block = block.expect("a block");
    let samples = rounds(folder).into_iter().flat_map(|round| round.samples);
    let failed = samples.filter_map(|sample| match sample.outcome {
        Outcome::Failed(failure) => {
            let strategy = &block.configurations[sample.configuration].strategy;
            Some(format!("{strategy}: {}", failure.kind))
        }
        _ => None,
    });
    let mut failed: Vec<String> = failed.collect();
    failed.sort();
    failed
}

/// Whether these tests, and so what they start, were started with it ignored.
pub(crate) fn is_ignored(signal: Signal) -> bool {
    let me = procfs::process::Process::myself().and_then(|me| me.status());
    me.map_or(0, |me| me.sigign) >> (signal as i32 - 1) & 1 == 1
}
