//! Counting the instructions of one process.

use std::{
    io,
    path::Path,
    process::{Command, ExitStatus, Output, Stdio},
};

const PROGRAM: &str = "valgrind";

/// Variables without which valgrind may not be found, or not find its own files.
const KEPT: [&str; 3] = ["PATH", "VALGRIND_LIB", "LD_LIBRARY_PATH"];

/// How to get it.
pub(crate) const INSTALL: &str = "install valgrind, e.g. `apt-get install valgrind`, \
    `dnf install valgrind` or `pacman -S valgrind`";

/// The first version that knows the system call `pidfd_open`, by which pools
/// watch their workers (its NEWS, bug 464609).
const KNOWS_PIDFD: (u32, u32) = (3, 21);

/// A valgrind that works.
#[derive(Debug)]
pub(crate) struct Valgrind {
    /// E.g. `3.19.0`.
    pub(crate) version: String,
}

/// What a run under valgrind has told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Total {
    /// Of the process, from its first to its last.
    pub(crate) instructions: u64,
    /// What the program has printed.
    pub(crate) printed: String,
}

impl Valgrind {
    /// The one in the `PATH`.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub(crate) fn find() -> Result<Self, String> {
        let output = Command::new(PROGRAM).arg("--version").stdin(Stdio::null()).output();
        let output = output.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => "valgrind is not installed".to_owned(),
            _ => format!("valgrind cannot be started: {error}"),
        })?;
        let said = String::from_utf8_lossy(&output.stdout);
        match said.trim().strip_prefix("valgrind-") {
            Some(version) if output.status.success() => Ok(Self { version: version.to_owned() }),
            _ => Err(format!("`valgrind --version` {}", ending(output.status))),
        }
    }

    /// Whether process pools can work under it, as far as its version tells.
    pub(crate) fn knows_pools(&self) -> bool {
        let mut numbers = self.version.split('.').map_while(|number| number.parse().ok());
        let version = numbers.next().zip(numbers.next());
        version.is_none_or(|version| version >= KNOWS_PIDFD)
    }

    /// Runs `program` with `arguments` to its end.
    ///
    /// Callgrind without its simulations is the cheapest of valgrind's tools that
    /// tell a total. What the user has configured for valgrind is not heard: other
    /// options could count other things. Nor does the program get an environment to
    /// speak of: it lies on the stack, and what lies elsewhere is copied by other
    /// instructions.
    ///
    /// # Errors
    ///
    /// Why there is no total.
    pub(crate) fn count(&self, program: &Path, arguments: &[String]) -> Result<Total, String> {
        let mut command = Command::new(PROGRAM);
        command.env_clear();
        command.envs(KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.args(["--command-line-only=yes", "--tool=callgrind"]);
        // No pipes for a debugger, which a path that is killed would leave behind.
        command.arg("--vgdb=no");
        command.arg("--callgrind-out-file=/dev/null").arg(program).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let lost = |error| format!("valgrind cannot be started: {error}");
        let child = command.spawn().map_err(lost)?;
        // Valgrind becomes the program. Others, which it starts, are not counted.
        let pid = child.id();
        total(pid, &child.wait_with_output().map_err(lost)?)
    }
}

/// What a process that has ended says of itself.
fn total(pid: u32, output: &Output) -> Result<Total, String> {
    let told = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(words(&told).unwrap_or_else(|| ending(output.status)));
    }
    let marked = format!("=={pid}== Collected :");
    let instructions = told.lines().find_map(|line| line.strip_prefix(&marked));
    let instructions = instructions.and_then(|number| number.trim().parse().ok());
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let instructions = instructions.ok_or("valgrind has told no total")?;
    Ok(Total { instructions, printed })
}

/// What the program itself has written to its standard error.
fn words(told: &str) -> Option<String> {
    let is_valgrinds =
        |line: &str| ["==", "--", "valgrind:"].into_iter().any(|start| line.starts_with(start));
    let own = told.lines().filter(|line| !is_valgrinds(line));
    let own: Vec<&str> = own.map(|line| line.trim_start_matches("error: ").trim()).collect();
    let own = own.join(" ");
    let own = own.trim();
    (!own.is_empty()).then(|| own.to_owned())
}

fn ending(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match status.signal() {
        Some(signal) if signal == nix::sys::signal::Signal::SIGALRM as i32 => {
            "took too long under valgrind".to_owned()
        }
        Some(signal) if signal == nix::sys::signal::Signal::SIGILL as i32 => {
            "has an instruction that valgrind does not know".to_owned()
        }
        _ => format!("ended with {status}"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn ended(status: i32, stderr: &str) -> Output {
        let (status, stderr) = (ExitStatus::from_raw(status), stderr.as_bytes().to_vec());
        Output { status, stdout: b"V3".to_vec(), stderr }
    }

    #[test]
    fn the_total_is_that_of_the_process_and_of_no_other() {
        let told = "==7== Callgrind\n==8== Collected : 5\n==7== \n==7== Collected : 123\n";
        let total = total(7, &ended(0, told)).unwrap();
        assert_eq!((total.instructions, &*total.printed), (123, "V3"));
        assert_eq!(super::total(9, &ended(0, told)), Err("valgrind has told no total".to_owned()));
    }

    #[test]
    fn why_there_is_no_total_is_said_in_the_programs_own_words_if_there_are_any() {
        let told =
            "==7== Callgrind\n--7-- WARNING\nerror: cannot\nhelp: wait\n==7== Collected : 1\n";
        assert_eq!(total(7, &ended(256, told)), Err("cannot help: wait".to_owned()));
        assert_eq!(total(7, &ended(14, "")), Err("took too long under valgrind".to_owned()));
        assert!(total(7, &ended(4, "==7== x")).unwrap_err().contains("does not know"));
        assert!(total(7, &ended(9, "==7== x")).unwrap_err().contains("SIGKILL"));
    }

    #[test]
    fn nothing_lies_in_the_temporary_folder_that_a_killed_path_would_leave() {
        let Ok(valgrind) = Valgrind::find() else {
            println!("skipped: valgrind is not installed");
            return;
        };
        let list = "for pipe in /tmp/vgdb-pipe-*-$$-by-*; do [ -e $pipe ] && echo $pipe; done; :";
        let arguments = ["-c", list].map(str::to_owned);
        let total = valgrind.count(Path::new("/bin/sh"), &arguments).expect("a shell");
        assert_eq!(total.printed, "");
    }

    #[test]
    fn versions_from_3_21_on_know_pools() {
        let knows = |version: &str| Valgrind { version: version.to_owned() }.knows_pools();
        assert!(knows("3.21.0") && knows("3.24.0.GIT") && knows("4.0") && knows("next"));
        assert!(!knows("3.20.0") && !knows("3.9.1") && !knows("2.99"));
    }
}
