//! The grammar of the command line.

mod children;
mod help;

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::{
    Args, CommandFactory, Parser, Subcommand,
    error::{ContextKind, ContextValue, ErrorKind},
};
use harness::{StartMethod, Workload};

pub(crate) use children::{ExecArgs, LimitsRunnerArgs, LoadArgs, PathsArgs, RunnerArgs};
use help::{
    COMPARE_HELP, DOCTOR_HELP, DUEL_HELP, EXIT_CODES, HISTORY_HELP, INSTRUCTIONS_HELP, REPORT_HELP,
    SELFTEST_HELP, SWEEP_HELP,
};

use crate::config::{
    suggest,
    values::{WorkerCount, parse_count, parse_duration},
};

/// Measures serial code, threads, rayon and process pools against each other.
///
/// Which strategy pays for CPU-bound work on this machine, with how many
/// workers, started how, and from what task size on? `driver --sweep` answers
/// in about a minute and leaves a report in `reports/latest/index.html`.
#[derive(Debug, Parser)]
#[command(name = "driver", version, arg_required_else_help = true, after_help = EXIT_CODES, max_term_width = 100)]
#[command(subcommand_required = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Adds what clap leaves out: the flag of a command that an unknown flag is
/// probably a slip for, e.g. `--sweep` for `--sweeep`.
pub(crate) fn with_suggestion(mut error: clap::Error) -> clap::Error {
    let unknown = match (error.kind(), error.get(ContextKind::InvalidArg)) {
        (ErrorKind::UnknownArgument, Some(ContextValue::String(unknown))) => unknown.clone(),
        _ => return error,
    };
    let command = Cli::command();
    let flags: Vec<&str> =
        command.get_subcommands().filter_map(clap::Command::get_long_flag).collect();
    if error.get(ContextKind::SuggestedArg).is_none()
        && let Some(meant) = suggest::closest(unknown.trim_start_matches('-'), &flags)
    {
        error.insert(ContextKind::SuggestedArg, ContextValue::String(format!("--{meant}")));
    }
    error
}

/// Every command also works as a flag: `driver --sweep` is `driver sweep`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measures all strategies and writes a report folder.
    ///
    /// Rounds are interleaved over all configurations, every answer is
    /// checked, and what fails is reported as a failure while the rest goes
    /// on. Ctrl-C saves what was measured; `--resume` goes on from there.
    #[command(long_flag = "sweep", after_help = SWEEP_HELP)]
    Sweep(SweepArgs),
    /// Prints the classic table: single against a pool of four.
    ///
    /// The sum of i² below 10⁶, once, against a pool of four that runs four
    /// such tasks, start-up and shutdown inside the clock, for every backend
    /// and start method.
    #[command(long_flag = "table", after_help = EXIT_CODES)]
    Table(TableArgs),
    /// Runs everything once and checks the answers, measuring nothing.
    #[command(long_flag = "verify", after_help = EXIT_CODES)]
    Verify(VerifyArgs),
    /// Redraws tables, plots and page of a report folder from its records.
    #[command(long_flag = "report", after_help = REPORT_HELP)]
    Report(ReportArgs),
    /// Compares two report folders, cell by cell: weak, since unpaired.
    ///
    /// They were measured at different times, so their times differ by
    /// whatever the machine did differently. Speed-ups over serial are
    /// compared beside them: there, drift has cancelled. It gates nothing.
    #[command(long_flag = "compare", after_help = COMPARE_HELP)]
    Compare(CompareArgs),
    /// Draws trends of all sweeps in a folder and marks where cells have changed.
    ///
    /// Runs of the same config on the same machine make a trend: the speed-up over
    /// serial of every cell, run by run. Change points are marked so that, if nothing
    /// has changed, any is seen in one history of a hundred. Others are told apart by
    /// their identity and never mixed. What cannot be used is named with the reason.
    #[command(long_flag = "history", after_help = HISTORY_HELP)]
    History(HistoryArgs),
    /// Tells how fit this machine is for measuring, and what to change.
    ///
    /// Looks at it for about two seconds: steal time, other processes,
    /// frequency, governor, heat, quotas, swap, clock, and how much the same
    /// work differs from one time to the next, from which it says what effect
    /// a comparison could detect here.
    #[command(long_flag = "doctor", after_help = DOCTOR_HELP)]
    Doctor(DoctorArgs),
    /// Has two builds of the driver take turns and says which is slower.
    ///
    /// The strong comparison: the runners of both builds are alive at the same
    /// time and take turns within milliseconds, so what drifts on the machine
    /// meets both. `driver compare` compares what was measured one after the other.
    /// It ends halfway if nothing is open then, and says so.
    #[command(long_flag = "duel", after_help = DUEL_HELP)]
    Duel(DuelArgs),
    /// Counts the instructions of kernels and dispatch, a gate without noise.
    ///
    /// With valgrind, which is optional: kernels, the serial job loop and what both
    /// pools do with a frame of tasks, so many times and twice as many. The
    /// difference is the same number every time, whatever else the machine does. What
    /// cannot be counted here, or varies, is a row that says so and gates nothing.
    #[command(long_flag = "instructions", after_help = INSTRUCTIONS_HELP)]
    Instructions(InstructionsArgs),
    /// Measures how often duels err on this machine, and what they can detect.
    ///
    /// Duels of this build with itself, which must not alarm, and with itself
    /// made to do some percent more work, which must.
    #[command(long_flag = "selftest", after_help = SELFTEST_HELP)]
    Selftest(SelftestArgs),
    /// Lists backends, start methods, workloads and configs.
    #[command(long_flag = "list")]
    List,
    /// Hosts one backend and speaks the protocol on standard input and output.
    #[command(hide = true)]
    Runner(RunnerArgs),
    /// Measures one figure of the limits.
    #[command(hide = true)]
    LimitsRunner(LimitsRunnerArgs),
    /// Keeps one core busy now and then.
    #[command(hide = true)]
    Load(LoadArgs),
    /// Lists what instructions are counted of, or does one of these.
    #[command(hide = true)]
    Paths(PathsArgs),
    /// Runs a command whose whole process group ends with the driver.
    #[command(hide = true)]
    Exec(ExecArgs),
}

/// What to measure; every flag takes the place of the config's key.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct SweepArgs {
    /// The config: a file, or the name of a shipped one, e.g. `speed-up`.
    ///
    /// `driver list` names the shipped ones; `default` is used if none is given.
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    pub(crate) config: Option<String>,

    /// Measures less, in about 12 seconds: short for `--config quick`.
    ///
    /// With a config of limits: in about a minute.
    #[arg(long, conflicts_with = "resume")]
    pub(crate) quick: bool,

    /// Backends to measure, e.g. `rayon,shm-pool`.
    ///
    /// `serial` is measured in any case: every speed-up is relative to it.
    #[arg(long, value_name = "A,B,..", value_delimiter = ',', conflicts_with = "resume")]
    pub(crate) backends: Vec<String>,

    /// Workloads to measure: sum-of-squares, square, cube.
    #[arg(long, value_name = "W,W,..", value_delimiter = ',', conflicts_with = "resume")]
    #[arg(value_parser = parse_workload)]
    pub(crate) workloads: Vec<Workload>,

    /// Worker counts to measure, e.g. `1,2,4`, `cores`, `2*cores` or `powers`.
    ///
    /// `powers` is 1, 2, 4 … up to twice the cores. Counts above the available
    /// cores are allowed; the report marks them "oversubscribed" and leaves
    /// them out of the fits.
    #[arg(long, value_name = "N,N,..", value_delimiter = ',', conflicts_with = "resume")]
    pub(crate) workers: Vec<WorkerCount>,

    /// Start methods of the process pools: fork, forkserver, spawn.
    #[arg(long, value_name = "M,M,..", value_delimiter = ',', conflicts_with = "resume")]
    #[arg(value_parser = parse_start_method)]
    pub(crate) start_methods: Vec<StartMethod>,

    /// Elements in a task, e.g. `1000` or `10,1e3,1e5`.
    ///
    /// Each makes a block of its own. Experiments over array sizes keep theirs.
    #[arg(long, value_name = "N,N,..", value_delimiter = ',', conflicts_with = "resume")]
    #[arg(value_parser = parse_count)]
    pub(crate) task_size: Vec<NonZeroUsize>,

    /// Tasks in a job, e.g. `64`.
    #[arg(long, value_name = "N", conflicts_with = "resume", value_parser = parse_count)]
    pub(crate) tasks: Option<NonZeroUsize>,

    /// Time for the whole sweep, e.g. `60s` or `5m`.
    ///
    /// Every block takes at least one round, so a very small budget is
    /// overrun; more time narrows the intervals.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) time_budget: Option<Duration>,

    /// Writes the report to DIR instead of a new folder in `reports/`.
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub(crate) out: Option<PathBuf>,

    /// Goes on with an interrupted sweep: its config, its seed, its folder.
    ///
    /// A sweep of limits cannot be resumed.
    #[arg(long, value_name = "DIR")]
    pub(crate) resume: Option<PathBuf>,

    /// Seed of every random choice.
    #[arg(long, value_name = "N", conflicts_with = "resume")]
    #[arg(value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub(crate) seed: Option<u64>,
}

/// What the classic table shows.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct TableArgs {
    /// Backends to show, e.g. `rayon,shm-pool`; `serial` is always measured.
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub(crate) backends: Vec<String>,

    /// Start methods of the process pools: fork, forkserver, spawn.
    #[arg(long, value_name = "M,M,..", value_delimiter = ',', value_parser = parse_start_method)]
    pub(crate) start_methods: Vec<StartMethod>,

    /// Time for the whole table, e.g. `10s`.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) time_budget: Option<Duration>,

    /// Also writes a report folder to DIR.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// Seed of every random choice.
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub(crate) seed: Option<u64>,
}

/// What is verified.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct VerifyArgs {
    /// A config whose own runners are verified too: a file or a shipped name.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<String>,

    /// Backends to verify, e.g. `rayon,shm-pool`.
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub(crate) backends: Vec<String>,

    /// Start methods of the process pools: fork, forkserver, spawn.
    #[arg(long, value_name = "M,M,..", value_delimiter = ',', value_parser = parse_start_method)]
    pub(crate) start_methods: Vec<StartMethod>,
}

/// Who is compared with whom.
#[derive(Clone, Debug, Args)]
pub(crate) struct DuelArgs {
    /// The driver that is known to be good, e.g. built from the target branch.
    #[arg(long, value_name = "BIN")]
    pub(crate) base: PathBuf,

    /// The driver that is judged, e.g. built from the change.
    #[arg(long, value_name = "BIN")]
    pub(crate) head: PathBuf,

    /// The config whose jobs they run: a file, or a shipped name.
    ///
    /// `duel` is used if none is given: four cells of a job of some
    /// milliseconds, workers pinned.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<String>,

    /// Backends to compare, e.g. `rayon,shm-pool`; `serial` in any case.
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub(crate) backends: Vec<String>,

    /// By how many percent head may be slower.
    #[arg(long, value_name = "PERCENT", default_value = "3", value_parser = parse_percent)]
    pub(crate) margin: f64,

    /// Time for all rounds, at most, e.g. `60s`; the config's if it is not given.
    ///
    /// Half of it is enough for jobs of which every cell is shown by then to be
    /// slower by more than the margin, or not to be.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) time_budget: Option<Duration>,

    /// Writes the verdicts to DIR: JSON, Markdown, annotations, and what trackers
    /// of benchmarks read.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// Seed of every random choice.
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub(crate) seed: Option<u64>,
}

/// Whose instructions are counted.
#[derive(Clone, Debug, Args)]
pub(crate) struct InstructionsArgs {
    /// A driver to compare with, e.g. built from the target branch.
    #[arg(long, value_name = "BIN")]
    pub(crate) base: Option<PathBuf>,

    /// The driver that is counted; this one if none is given.
    #[arg(long, value_name = "BIN")]
    pub(crate) head: Option<PathBuf>,

    /// By how many percent more instructions head may execute.
    #[arg(long, value_name = "PERCENT", default_value = "1", value_parser = parse_percent)]
    pub(crate) margin: f64,

    /// Counts only paths that have one of these in their name, e.g. `kernel`.
    #[arg(long, value_name = "P,P,..", value_delimiter = ',')]
    pub(crate) paths: Vec<String>,

    /// Writes the counts to DIR: JSON, Markdown, annotations, and what trackers
    /// of benchmarks read.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// How much a self-test measures.
#[derive(Clone, Debug, Args)]
pub(crate) struct SelftestArgs {
    /// Duels of this build with itself.
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub(crate) duels: u32,

    /// Duels with each slow-down.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) slowed: u32,

    /// Slow-downs to detect, in percent.
    #[arg(long, value_name = "P,P,..", value_delimiter = ',', default_value = "2,5,10")]
    #[arg(value_parser = parse_percent)]
    pub(crate) slowdowns: Vec<f64>,

    /// By how many percent head may be slower in these duels.
    #[arg(long, value_name = "PERCENT", default_value = "0.5", value_parser = parse_percent)]
    pub(crate) margin: f64,

    /// Time of one duel, at most, e.g. `10s`.
    ///
    /// One that is settled halfway ends there, as `driver duel` does.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_duration)]
    pub(crate) time: Duration,

    /// The config whose jobs they run: a file, or a shipped name.
    #[arg(long, value_name = "FILE", default_value = "duel")]
    pub(crate) config: String,

    /// Has a load come and go on one core meanwhile.
    #[arg(long)]
    pub(crate) load: bool,

    /// Seed of every random choice.
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub(crate) seed: u64,
}

/// Which folder is redrawn.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReportArgs {
    /// A folder that `sweep` wrote, e.g. `reports/latest`.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}

/// Which folders, and how the comparison is shown.
#[derive(Clone, Debug, Args)]
pub(crate) struct CompareArgs {
    /// The folder to compare with, e.g. `reports/sample`.
    #[arg(value_name = "A")]
    pub(crate) a: PathBuf,

    /// The folder that is compared, e.g. `reports/latest`.
    #[arg(value_name = "B")]
    pub(crate) b: PathBuf,

    /// Prints JSON in place of the table.
    #[arg(long)]
    pub(crate) json: bool,

    /// Also writes the comparison to FILE as Markdown.
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
}

/// Whose history, and where it is written.
#[derive(Clone, Debug, Args)]
pub(crate) struct HistoryArgs {
    /// The folder in which sweeps are looked for, at any depth.
    #[arg(value_name = "DIR", default_value = "reports")]
    pub(crate) folder: PathBuf,

    /// Writes `history.json` and `history.html` to OUT instead of `history` in DIR.
    #[arg(long, value_name = "OUT")]
    pub(crate) out: Option<PathBuf>,
}

/// How the findings are shown.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct DoctorArgs {
    /// Prints JSON: every finding with its level, value, advice and figures.
    #[arg(long)]
    pub(crate) json: bool,
}

fn parse_percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent),
        _ => Err("a number of percent from 0 to 100, e.g. `3`".to_owned()),
    }
}

fn parse_workload(name: &str) -> Result<Workload, String> {
    name.parse().map_err(|_| unknown(name, "workload", &Workload::ALL.map(Workload::name)))
}

fn parse_start_method(name: &str) -> Result<StartMethod, String> {
    name.parse()
        .map_err(|_| unknown(name, "start method", &StartMethod::ALL.map(StartMethod::name)))
}

fn unknown(name: &str, what: &str, known: &[&str]) -> String {
    format!("unknown {what}; {}", crate::config::suggest::among(name, known.iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_also_works_as_a_flag() {
        for word in ["sweep", "table", "verify", "history", "doctor", "instructions", "list"] {
            let flag = &*format!("--{word}");
            let by_flag = Cli::try_parse_from(["driver", flag]).expect(flag);
            let by_word = Cli::try_parse_from(["driver", word]).expect(word);
            assert_eq!(format!("{by_flag:?}"), format!("{by_word:?}"));
        }
        assert!(Cli::try_parse_from(["driver", "--report", "folder"]).is_ok());
        assert!(Cli::try_parse_from(["driver", "--compare", "one", "another"]).is_ok());
    }
}
