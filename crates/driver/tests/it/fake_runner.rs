//! A runner that misbehaves on request: this test binary, started again.
//!
//! The driver appends `--workers N` to a runner's command. Behind `--` the
//! test harness takes those words for names of tests, of which there are none.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead, Write, stdin, stdout},
    process::{Command, Stdio, exit},
    thread::sleep,
    time::{Duration, Instant},
};

use harness::{
    Job, Placement,
    protocol::{Greeting, PROTOCOL_VERSION, Reply, Request},
};

/// Every way to misbehave, and the kind of failure that it must become.
pub(crate) const MISBEHAVIOURS: [(&str, &str); 12] = [
    ("crashes", "runner crashed"),
    ("is-outlived", "runner crashed"),
    ("falls-mute", "runner crashed"),
    ("hangs", "deadline passed"),
    ("claims-too-much", "implausible time"),
    ("claims-too-little", "implausible time"),
    ("starts-for-hours", "implausible time"),
    ("answers-wrong", "wrong answer"),
    ("speaks-rubbish", "protocol error"),
    ("chatters", "protocol error"),
    ("is-silent", "deadline passed"),
    ("is-outdated", "protocol error"),
];

/// The command of a runner that behaves like this, as TOML.
pub(crate) fn command(behaviour: &str) -> String {
    let binary = std::env::current_exe().expect("this binary");
    let name = "fake_runner::this_binary_plays_the_runner_that_its_arguments_name";
    format!("[{:?}, \"--exact\", {name:?}, \"--nocapture\", \"--\", {behaviour:?}]", binary)
}

#[test]
fn this_binary_plays_the_runner_that_its_arguments_name() {
    let behaviour = std::env::args().skip_while(|word| word != "--").nth(1);
    if let Some(behaviour) = behaviour {
        play(&behaviour);
    }
}

fn play(behaviour: &str) {
    match behaviour {
        "is-silent" => hang(),
        "chatters" => loop {
            say("Loading plugins, please stand by.");
        },
        _ => {}
    }
    // The test harness has left a line unfinished.
    say("");
    let version = if behaviour == "is-outdated" { 0 } else { PROTOCOL_VERSION };
    say(&json(&Greeting { manyhands: version, pid: std::process::id() }));
    let mut fake = Fake { behaviour, job: None, nonce: 0, runs: 0 };
    for line in stdin().lock().lines() {
        let request = serde_json::from_str(&line.expect("a line")).expect("a request");
        if request == Request::Quit {
            break;
        }
        say(&json(&fake.answer(&request)));
    }
    exit(0);
}

/// Far more than anything here takes, in nanoseconds.
const HOURS: u64 = 2 * 3_600_000_000_000;

struct Fake<'a> {
    behaviour: &'a str,
    job: Option<Job>,
    nonce: u64,
    runs: u32,
}

impl Fake<'_> {
    fn answer(&mut self, request: &Request) -> Reply {
        match *request {
            Request::Start => {
                let placement = Placement::of(self.behaviour == "says-pinned");
                let start_up_ns = self.claimed_unless("starts-for-hours");
                Reply::Started { start_up_ns, placement }
            }
            Request::Load { job } => {
                self.job = Some(job);
                Reply::Loaded { input: None }
            }
            Request::Prepare { nonce } => {
                self.nonce = nonce;
                Reply::Prepared
            }
            Request::Run => {
                self.runs += 1;
                self.run()
            }
            Request::Check => {
                let right = self.job.expect("a job").expected_checksum(self.nonce);
                let wrong = u64::from(self.behaviour == "answers-wrong");
                Reply::Checked { checksum: right.wrapping_add(wrong).to_string() }
            }
            Request::Stop | Request::Quit => {
                Reply::Stopped { shutdown_ns: self.claimed_unless("stops-for-hours") }
            }
        }
    }

    /// A short time, unless it behaves like `liar`.
    fn claimed_unless(&self, liar: &str) -> u64 {
        if self.behaviour == liar { HOURS } else { 1_000 }
    }

    fn run(&self) -> Reply {
        match self.behaviour {
            "crashes" => {
                eprintln!("out of luck");
                exit(3);
            }
            "is-outlived" => {
                // Whoever it started has its standard output.
                let mut child = Command::new("sleep");
                child.arg("300").stdin(Stdio::null()).stderr(Stdio::null());
                child.spawn().expect("a child");
                exit(3);
            }
            "falls-mute" => {
                let nowhere = File::options().write(true).open("/dev/null").expect("/dev/null");
                nix::unistd::dup2_stdout(nowhere).expect("its standard output is replaced");
                hang()
            }
            "hangs" => hang(),
            // The first two are the first task and the warm-up.
            "tires" if self.runs > 2 => hang(),
            "claims-too-much" => Reply::Ran { wall_ns: HOURS },
            "claims-too-little" => {
                sleep(Duration::from_millis(50));
                Reply::Ran { wall_ns: 1 }
            }
            "speaks-rubbish" => {
                say("{\"answer\": 42}");
                Reply::Ran { wall_ns: 1_000 }
            }
            "counts" => {
                count();
                // So long that the driver, displaced for a while, still believes
                // it, and does not have it run again.
                let begun = Instant::now();
                sleep(Duration::from_millis(20));
                Reply::Ran { wall_ns: begun.elapsed().as_nanos() as u64 }
            }
            _ => Reply::Ran { wall_ns: 1_000 },
        }
    }
}

/// Where runners that count leave a file each, a byte a run.
pub(crate) const RUNS: &str = "runs";

fn count() {
    std::fs::create_dir_all(RUNS).expect("the folder of the driver can be written");
    let path = format!("{RUNS}/{}", std::process::id());
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| file.write_all(b".")).expect("a run is counted");
}

/// Longer than any deadline, but not for ever: a broken test must not leave it.
fn hang() -> ! {
    sleep(Duration::from_secs(300));
    exit(1)
}

fn json(message: &impl serde::Serialize) -> String {
    serde_json::to_string(message).expect("plain data")
}

/// Past the test harness's capture. A driver that is gone has heard enough.
fn say(line: &str) {
    if writeln!(stdout(), "{line}").is_err() {
        exit(1);
    }
}
