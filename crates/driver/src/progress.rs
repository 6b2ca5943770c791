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

use crate::{plan::PlannedBlock, printing};

/// The bar counts blocks by their share of the time, in these units.
const STEPS: f64 = 10_000.0;

/// The display.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    blocks: usize,
    total_weight: f64,
    done_weight: f64,
    current: Current,
}

/// The block that is being measured.
#[derive(Debug)]
struct Current {
    number: usize,
    weight: f64,
    begun: Instant,
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
        let begun = Instant::now();
        let current =
            Current { number: 0, weight: 0.0, begun, rounds: 0, contaminated: 0, failed: 0 };
        Self { bar, quiet, blocks: 0, total_weight: 1.0, done_weight: 0.0, current }
    }

    /// `blocks` blocks of `total` weight, of which `done` is done already.
    pub(crate) fn begin(&mut self, blocks: usize, total: f64, done: f64) {
        self.blocks = blocks;
        self.total_weight = total.max(f64::MIN_POSITIVE);
        self.done_weight = done;
        self.advance(0.0);
        if let Some(bar) = &self.bar {
            bar.reset_eta();
            bar.enable_steady_tick(Duration::from_millis(200));
        }
    }

    /// A block begins.
    pub(crate) fn enter(&mut self, index: usize, block: &PlannedBlock) {
        self.current = Current {
            number: index + 1,
            weight: block.weight,
            begun: Instant::now(),
            rounds: 0,
            contaminated: 0,
            failed: 0,
        };
        if let Some(bar) = &self.bar {
            bar.set_message(block.record.block.clone());
        }
    }

    /// This share of the block's time is spent.
    pub(crate) fn advance(&mut self, spent: f64) {
        if let Some(bar) = &self.bar {
            let weight = self.done_weight + self.current.weight * spent;
            bar.set_position((weight / self.total_weight * STEPS) as u64);
        }
    }

    /// A round is done.
    pub(crate) fn round(&mut self, contaminated: bool) {
        self.current.rounds += 1;
        self.current.contaminated += u32::from(contaminated);
    }

    /// A configuration failed and is left out from here on.
    pub(crate) fn failed(&mut self, configuration: &Configuration, failure: &Failure) {
        self.current.failed += 1;
        let summary = failure.message.lines().next().unwrap_or_default();
        let named = summary.starts_with(&configuration.to_string());
        let who = if named { String::new() } else { format!("{configuration}: ") };
        self.say(&format!("failed: {who}{summary} ({}, {})", failure.kind, failure.phase));
    }

    /// The block is done.
    pub(crate) fn leave(
        &mut self,
        block: &BlockRecord,
        reason: StopReason,
        reached: Option<Precision>,
    ) {
        self.done_weight += self.current.weight;
        self.current.weight = 0.0;
        self.advance(0.0);
        if self.bar.is_some() || self.quiet {
            return;
        }
        let Current { number, begun, rounds, contaminated, failed, .. } = self.current;
        let mut line = format!(
            "[{number:>2}/{}] {}: {rounds} rounds in {:.1} s, {}",
            self.blocks,
            block.block,
            begun.elapsed().as_secs_f64(),
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
        StopReason::TimeBudget => "time used up",
        StopReason::MaxRounds => "all rounds",
        StopReason::AllFailed => "all failed",
    }
}
