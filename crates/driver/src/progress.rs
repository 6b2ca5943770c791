//! How far the sweep is, on standard error: a bar on a terminal, a line a
//! block elsewhere.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use harness::{
    Configuration,
    record::{BlockRecord, Failure, StopReason},
};
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use stats::precision::Precision;

use crate::printing;

/// The bar counts in these units.
const STEPS: f64 = 10_000.0;

/// The display.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    begun: Instant,
    /// What all blocks have.
    time: Duration,
    blocks: Vec<Seen>,
    current: usize,
    /// When the present visit began.
    entered: Instant,
}

/// What was seen of a block, over all visits.
#[derive(Clone, Debug, Default)]
struct Seen {
    time: Duration,
    rounds: u32,
    contaminated: u32,
    failed: u32,
}

impl Progress {
    /// A bar if standard error is a terminal, else lines.
    pub(crate) fn new() -> Self {
        Self::with(std::io::stderr().is_terminal().then(bar), false)
    }

    /// A bar if standard error is a terminal, else nothing but failures.
    pub(crate) fn quiet() -> Self {
        Self::with(std::io::stderr().is_terminal().then(bar), true)
    }

    fn with(bar: Option<ProgressBar>, quiet: bool) -> Self {
        let (begun, entered) = (Instant::now(), Instant::now());
        let (time, blocks) = (Duration::ZERO, Vec::new());
        Self { bar, quiet, begun, time, blocks, current: 0, entered }
    }

    /// `blocks` blocks, those included that are done, and time for the others.
    pub(crate) fn begin(&mut self, blocks: usize, time: Duration) {
        self.blocks = vec![Seen::default(); blocks];
        self.begun = Instant::now();
        self.time = time;
        if let Some(bar) = &self.bar {
            bar.reset_eta();
            bar.enable_steady_tick(Duration::from_millis(200));
        }
    }

    /// A visit to a block begins.
    pub(crate) fn enter(&mut self, index: usize, block: &BlockRecord) {
        self.current = index;
        self.entered = Instant::now();
        if let Some(bar) = &self.bar {
            bar.set_message(block.block.clone());
        }
    }

    /// A round is done.
    pub(crate) fn round(&mut self, contaminated: bool) {
        self.seen().rounds += 1;
        self.seen().contaminated += u32::from(contaminated);
        if let Some(bar) = &self.bar {
            let spent = self.begun.elapsed().as_secs_f64() / self.time.as_secs_f64().max(1e-6);
            bar.set_position((spent.min(1.0) * STEPS) as u64);
        }
    }

    fn seen(&mut self) -> &mut Seen {
        &mut self.blocks[self.current]
    }

    /// A configuration failed and is left out from here on.
    pub(crate) fn failed(&mut self, configuration: &Configuration, failure: &Failure) {
        self.seen().failed += 1;
        let summary = failure.message.lines().next().unwrap_or_default();
        let named = summary.starts_with(&configuration.to_string());
        let who = if named { String::new() } else { format!("{configuration}: ") };
        self.say(&format!("failed: {who}{summary} ({}, {})", failure.kind, failure.phase));
    }

    /// The visit is over.
    pub(crate) fn leave(&mut self) {
        let visit = self.entered.elapsed();
        self.seen().time += visit;
    }

    /// So many of all passes are over.
    pub(crate) fn pass(&self, done: u32, of: u32) {
        if !self.is_silent() && done < of {
            let seconds = self.begun.elapsed().as_secs_f64();
            self.say(&format!("pass {done} of {of}: {seconds:.1} s"));
        }
    }

    fn is_silent(&self) -> bool {
        self.bar.is_some() || self.quiet
    }

    /// The block that was left last is done.
    pub(crate) fn end(
        &mut self,
        block: &BlockRecord,
        reason: StopReason,
        reached: Option<Precision>,
    ) {
        if self.is_silent() {
            return;
        }
        let (number, blocks) = (self.current + 1, self.blocks.len());
        let Seen { time, rounds, contaminated, failed } = self.seen().clone();
        let mut line = format!(
            "[{number:>2}/{blocks}] {}: {rounds} rounds in {:.1} s, {}",
            block.block,
            time.as_secs_f64(),
            in_words(reason),
        );
        if let Some(widest) = reached.and_then(|reached| reached.widest) {
            line.push_str(&format!(", ±{:.1} %", 100.0 * widest));
        }
        for (count, what) in [(contaminated, "contaminated"), (failed, "failed")] {
            if count > 0 {
                line.push_str(&format!("; {count} {what}"));
            }
        }
        self.say(&line);
    }

    /// Takes the bar away.
    pub(crate) fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// A line above the bar.
    pub(crate) fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| printing::note(line)),
            None => printing::note(line),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

fn bar() -> ProgressBar {
    let style =
        ProgressStyle::with_template("{bar:24} {percent:>3} %  {eta_words} left  {wide_msg}")
            .expect("the template is well formed")
            .with_key(
                "eta_words",
                |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
                    // Nothing can be done if a word does not reach the screen.
                    let _ = write!(out, "{:#}", HumanDuration(state.eta()));
                },
            );
    ProgressBar::new(STEPS as u64).with_style(style)
}

const fn in_words(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Precise => "precise",
        StopReason::Decided => "decided",
        StopReason::TimeBudget => "time used up",
        StopReason::MaxRounds => "all rounds",
        StopReason::AllFailed => "all failed",
    }
}
