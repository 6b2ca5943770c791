//! `driver selftest`: how often duels err here, and what they can detect.

use std::{
    io,
    process::{Child, Command},
};

use super::measuring;
use crate::{
    cli::SelftestArgs,
    config::Config,
    duel::{self, Build, FALSE_ALARMS, Judged, Ring, Terms},
    environment,
    error::Error,
    gate::Outcome,
    interrupt::{Interrupt, Interrupted},
    outcome::End,
    plan::{self, PlannedBlock},
    printing,
};

/// This program, even if the file was replaced since it was started.
const SELF: &str = "/proc/self/exe";

/// Share of duels with a slow-down below 5 % that are to find it, and with
/// others.
const WANTED_SMALL: f64 = 0.8;
const WANTED: f64 = 0.95;

/// Duels with one kind of head.
struct Series {
    /// By how many percent more work head does.
    slowdown: f64,
    duels: u32,
    alarms: u32,
    inconclusive: u32,
    broken: u32,
    /// Settled before their time was over.
    settled: u32,
    /// From duels of equals: what a cell would have had to be slowed down by to
    /// be found slower, at most; infinite if nothing could have been found.
    needed: Vec<f64>,
}

/// Everything that a duel of the series needs.
struct Test<'a> {
    arguments: &'a SelftestArgs,
    config: Config,
    blocks: Vec<PlannedBlock>,
    interrupt: Interrupt,
}

/// Has this build fight itself, and itself made slower.
///
/// # Errors
///
/// If the arguments or the config are not usable.
pub(super) fn execute(arguments: &SelftestArgs) -> Result<End, Error> {
    if arguments.duels == 0 && arguments.slowed == 0 {
        let help = "ask for at least one duel of equals or with a slow-down";
        let problem = "`--duels 0 --slowed 0`: nothing is to be measured";
        return Err(Error::Argument(format!("{problem}\nhelp: {help}")));
    }
    let mut config = Config::load(&arguments.config)?;
    duel::require_duel(&config, &arguments.config)?;
    config.resolve_workers(environment::available_cores());
    let blocks = plan::blocks(&config, environment::available_cores());
    let interrupt = measuring::watch_signals()?;
    let _load = arguments.load.then(|| Load::start(arguments.seed)).transpose();
    let _load = _load.map_err(|cause| Error::System {
        what: "cannot start the load".to_owned(),
        cause,
        help: "raise the limit on processes (ulimit -u)",
    })?;
    let test = Test { arguments, config, blocks, interrupt };
    match test.all_series() {
        Err(Interrupted) => {
            printing::note("interrupted");
            Ok(End::Interrupted)
        }
        Ok(series) => {
            printing::print(&test.table(&series)).map_err(Error::output)?;
            if series.iter().any(|one| one.broken > 0) {
                return Ok(End::Usage);
            }
            Ok(End::failed_if(!series.iter().all(Series::is_as_wanted)))
        }
    }
}

impl Test<'_> {
    fn all_series(&self) -> Result<Vec<Series>, Interrupted> {
        let SelftestArgs { duels, slowed, slowdowns, .. } = self.arguments;
        let slowed = slowdowns.iter().map(|&slowdown| (slowdown, *slowed));
        let series = [(0.0, *duels)].into_iter().chain(slowed).filter(|&(_, duels)| duels > 0);
        series.map(|(slowdown, duels)| self.series(slowdown, duels)).collect()
    }

    fn series(&self, slowdown: f64, duels: u32) -> Result<Series, Interrupted> {
        let mut series = Series::new(slowdown, duels);
        for number in 0..duels {
            let judged = self.duel(slowdown, u64::from(number))?;
            match duel::outcome(&judged, self.margin()) {
                Outcome::Pass => {}
                Outcome::Regression => series.alarms += 1,
                Outcome::Inconclusive => series.inconclusive += 1,
                Outcome::Broken => {
                    series.broken += 1;
                    let failures = judged.iter().filter_map(|one| Some((one, one.failure()?)));
                    for (one, failure) in failures {
                        printing::note(&format!("{}: {failure}", one.cell.name()));
                    }
                }
            }
            series.settled += u32::from(duel::was_settled(&judged));
            series.needed.extend(judged.iter().map(|one| self.needed(one)));
            if (number + 1) % 10 == 0 || number + 1 == duels {
                let Series { alarms, .. } = series;
                let done = number + 1;
                printing::note(&format!("{slowdown} % slower: {alarms} alarms in {done} duels"));
            }
        }
        Ok(series)
    }

    fn duel(&self, slowdown: f64, number: u64) -> Result<Vec<Judged>, Interrupted> {
        let extra = (slowdown / 100.0).to_string();
        let extra = ["--extra-work".to_owned(), extra].to_vec();
        let base = Build { program: SELF.into(), arguments: Vec::new() };
        let head = Build { arguments: extra, ..base.clone() };
        let terms = Terms {
            time: self.arguments.time,
            lives: self.config.incarnations,
            margin: self.margin(),
            false_alarms: FALSE_ALARMS,
            seed: self.arguments.seed ^ (number << 8) ^ ((slowdown * 10.0) as u64) << 40,
        };
        let ring = Ring {
            builds: [&base, &head],
            config: &self.config,
            terms: &terms,
            interrupt: &self.interrupt,
        };
        duel::fight(&ring, &self.blocks)
    }

    fn margin(&self) -> f64 {
        self.arguments.margin / 100.0
    }

    /// A slow-down moves an interval of ratios as a whole: by how much this one
    /// would have had to move to lie beyond the margin.
    ///
    /// So much is enough. An interval of a block that was settled halfway, moved so
    /// far, leaves the block settled. One of the end is never reached if the moved
    /// cell has its block end halfway, but then it was found there: moving it up
    /// settles it in no other way. Less may be enough where a block was settled
    /// halfway, for the interval of the end is narrower.
    fn needed(&self, judged: &Judged) -> f64 {
        let low = judged.ratio.and_then(|ratio| ratio.low);
        low.map_or(f64::INFINITY, |low| (1.0 + self.margin()) / low - 1.0)
    }

    fn table(&self, series: &[Series]) -> String {
        let cells: usize = self.blocks.iter().map(|block| block.record.configurations.len()).sum();
        let mut text = format!(
            "duels of {cells} cells, at most {} s each, margin {} %{}\n\n{}",
            self.arguments.time.as_secs_f64(),
            self.arguments.margin,
            if self.arguments.load { ", a load comes and goes" } else { "" },
            Series::HEADER,
        );
        for one in series {
            text += &one.line();
        }
        if let Some(equals) = series.first().filter(|one| one.slowdown <= 0.0) {
            text += &equals.found();
        }
        text
    }
}

impl Series {
    const HEADER: &str =
        "head is       duels alarms         share in % open broken settled  goal\n";

    const fn new(slowdown: f64, duels: u32) -> Self {
        let (alarms, inconclusive, broken, settled) = (0, 0, 0, 0);
        Self { slowdown, duels, alarms, inconclusive, broken, settled, needed: Vec::new() }
    }

    /// What these duels of equals say is found in most of such duels.
    fn found(&self) -> String {
        const SHARE: f64 = 0.8;
        let mut needed = self.needed.clone();
        needed.sort_unstable_by(f64::total_cmp);
        // Enough for at least that share, so nothing is interpolated.
        let rank = (SHARE * needed.len() as f64).ceil() as usize;
        match rank.checked_sub(1).map(|index| needed[index]) {
            None => String::new(),
            Some(needed) if needed.is_finite() => format!(
                "\na single cell that is slower by {:.1} % is found in at least {} % of such \
                 duels\n",
                needed * 100.0,
                SHARE * 100.0,
            ),
            Some(_) => {
                "\nno slow-down is found in most of such duels: too few rounds count\n".to_owned()
            }
        }
    }

    fn share(&self) -> f64 {
        f64::from(self.alarms) / f64::from(self.duels.max(1))
    }

    fn is_as_wanted(&self) -> bool {
        if self.slowdown > 0.0 {
            self.share() >= self.wanted()
        } else {
            self.share() <= self.wanted()
        }
    }

    fn wanted(&self) -> f64 {
        match self.slowdown {
            slowdown if slowdown <= 0.0 => FALSE_ALARMS,
            slowdown if slowdown < 5.0 => WANTED_SMALL,
            _ => WANTED,
        }
    }

    fn line(&self) -> String {
        let head = match self.slowdown {
            slowdown if slowdown > 0.0 => format!("{slowdown} % slower"),
            _ => "equal".to_owned(),
        };
        let (low, high) = stats::proportion::wilson(self.alarms, self.duels);
        let percent = |share: f64| share * 100.0;
        let share =
            format!("{:.1} [{:.1}–{:.1}]", percent(self.share()), percent(low), percent(high));
        let sign = if self.slowdown > 0.0 { '≥' } else { '≤' };
        let verdict = if self.is_as_wanted() { "met" } else { "missed" };
        format!(
            "{head:<13} {:>5} {:>6} {share:>18} {:>4} {:>6} {:>7}  {sign} {:.0} % {verdict}\n",
            self.duels,
            self.alarms,
            self.inconclusive,
            self.broken,
            self.settled,
            percent(self.wanted()),
        )
    }
}

/// Keeps one core busy now and then, until this is dropped.
struct Load(Child);

impl Load {
    fn start(seed: u64) -> io::Result<Self> {
        let me = std::process::id().to_string();
        let mut command = Command::new(SELF);
        command.args(["load", "--parent", &me, "--seed", &seed.to_string()]);
        Ok(Self(command.spawn()?))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // It is there until it is waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(slowdown: f64, alarms: u32) -> Series {
        Series { alarms, ..Series::new(slowdown, 100) }
    }

    #[test]
    fn equals_may_alarm_in_one_of_a_hundred_and_slow_ones_must_in_most() {
        assert!(series(0.0, 1).is_as_wanted() && !series(0.0, 2).is_as_wanted());
        assert!(series(2.0, 80).is_as_wanted() && !series(2.0, 79).is_as_wanted());
        assert!(series(5.0, 95).is_as_wanted() && !series(5.0, 94).is_as_wanted());
    }

    #[test]
    fn a_line_fits_a_terminal() {
        for one in [series(0.0, 0), series(2.5, 100), series(12.5, 7)] {
            let one = Series { settled: 100, inconclusive: 100, broken: 100, ..one };
            assert!(one.line().trim_end().chars().count() <= 80, "{}", one.line());
            // Columns end where their titles do.
            let end = |line: &str| line.rsplit_once("  ").map(|(start, _)| start.chars().count());
            assert_eq!(end(&one.line()), end(Series::HEADER), "{}", one.line());
        }
    }

    #[test]
    fn what_is_found_is_what_most_intervals_would_have_shown() {
        let found = |needed: [f64; 6]| {
            let needed = needed.to_vec();
            Series { needed, ..series(0.0, 0) }.found()
        };
        let some = found([0.01, 0.05, 0.02, 0.03, 0.04, f64::INFINITY]);
        assert!(some.contains("slower by 5.0 % is found in at least 80 %"), "{some}");
        let none = found([0.01, 0.05, 0.02, 0.03, f64::INFINITY, f64::INFINITY]);
        assert!(none.contains("no slow-down is found"), "{none}");
    }
}
