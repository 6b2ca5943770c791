//! Where a figure is measured: its time, its rounds, what it says.

use std::{
    io::{self, Write},
    path::PathBuf,
    time::{Duration, Instant},
};

use crate::{
    Figure, Line, Round, Sample,
    contest::{Contestant, order},
    machine,
    trouble::{Result, Trouble},
};

/// What the measurement of a figure is given.
#[derive(Clone, Debug)]
pub struct Terms {
    /// How long its rounds may take together; a few are taken in any case.
    pub time: Duration,
    /// Where [`PYTHON_SCRIPT`](crate::PYTHON_SCRIPT) lies.
    pub python_script: Option<PathBuf>,
}

/// Fewer say nothing about a spread.
const FEWEST_ROUNDS: usize = 3;

/// More narrow nothing any more.
const MOST_ROUNDS: usize = 51;

/// One figure's measurement.
pub(crate) struct Stage<'a> {
    terms: &'a Terms,
    say: &'a mut dyn FnMut(&Line) -> io::Result<()>,
}

/// Measures `figure` and writes what it finds to `output`, a line of JSON each.
/// The last line says how it has ended.
///
/// # Errors
///
/// If the output cannot be written. That the figure cannot be measured is
/// something to say.
pub fn perform(figure: &Figure, terms: &Terms, mut output: impl Write) -> io::Result<()> {
    let mut say = |line: &Line| {
        serde_json::to_writer(&mut output, line)?;
        output.write_all(b"\n")?;
        output.flush()
    };
    let mut stage = Stage { terms, say: &mut say };
    let measured = machine::two_cores().and_then(|_| (figure.measure)(&mut stage));
    match measured {
        Ok(()) => say(&Line::Done),
        Err(Trouble::Lacking(why)) => say(&Line::NotMeasured { why }),
        Err(trouble) => say(&Line::Failed { why: trouble.to_string() }),
    }
}

impl Stage<'_> {
    pub(crate) fn terms(&self) -> &Terms {
        self.terms
    }

    /// Tells the reader of the figure.
    pub(crate) fn note(&mut self, text: impl Into<String>) -> Result<()> {
        Ok((self.say)(&Line::Note { text: text.into() })?)
    }

    /// One of `parts` equal parts of the time.
    pub(crate) fn part(&self, parts: usize) -> Duration {
        self.terms.time / parts.max(1) as u32
    }

    /// Reports one round.
    pub(crate) fn report(&mut self, series: &str, value: f64, samples: Vec<Sample>) -> Result<()> {
        Ok((self.say)(&Line::Round(Round { series: series.to_owned(), value, samples }))?)
    }

    /// Rounds of all contestants, in alternation, for `time`. `figure` makes
    /// the figure of a round from what they took, in their order.
    pub(crate) fn alternate(
        &mut self,
        series: &str,
        time: Duration,
        contestants: &mut [Contestant<'_>],
        figure: impl Fn(&[f64]) -> f64,
    ) -> Result<()> {
        for contestant in contestants.iter_mut() {
            // The first run is another one: caches, pages, and what was learned.
            (contestant.run)()?;
        }
        self.rounds(time, |stage, round| {
            let mut values = vec![0.0; contestants.len()];
            for place in order(contestants.len(), round) {
                values[place] = (contestants[place].run)()?;
            }
            let samples = contestants
                .iter()
                .zip(&values)
                .map(|(contestant, &value)| Sample { contestant: contestant.name.clone(), value });
            stage.report(series, figure(&values), samples.collect())
        })
    }

    /// Calls `one` with the number of the round while there is `time`.
    pub(crate) fn rounds(
        &mut self,
        time: Duration,
        mut one: impl FnMut(&mut Self, usize) -> Result<()>,
    ) -> Result<()> {
        let begun = Instant::now();
        for round in 0..MOST_ROUNDS {
            if round >= FEWEST_ROUNDS && begun.elapsed() >= time {
                break;
            }
            one(self, round)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(time: Duration, measure: impl Fn(&mut Stage<'_>) -> Result<()>) -> Vec<Line> {
        let terms = Terms { time, python_script: None };
        let mut lines = Vec::new();
        let mut say = |line: &Line| {
            lines.push(line.clone());
            Ok(())
        };
        measure(&mut Stage { terms: &terms, say: &mut say }).expect("no trouble");
        lines
    }

    #[test]
    fn a_figure_without_time_has_the_fewest_rounds_and_the_ratio_of_each() {
        let lines = lines(Duration::ZERO, |stage| {
            let mut contestants =
                [Contestant::new("ours", || Ok(2.0)), Contestant::new("theirs", || Ok(6.0))];
            stage.alternate("all", Duration::ZERO, &mut contestants, |t| t[1] / t[0])
        });
        assert_eq!(lines.len(), FEWEST_ROUNDS);
        let is_three =
            |line: &Line| matches!(line, Line::Round(round) if round.value.total_cmp(&3.0).is_eq());
        assert!(lines.iter().all(is_three), "{lines:?}");
    }

    #[test]
    fn trouble_in_a_contestant_ends_the_rounds() {
        lines(Duration::from_secs(60), |stage| {
            let mut contestants =
                [Contestant::new("broken", || Err(Trouble::lacking("everything")))];
            let ended = stage.alternate("all", Duration::from_secs(60), &mut contestants, |t| t[0]);
            assert_eq!(ended.map_err(|trouble| trouble.to_string()), Err("everything".to_owned()));
            Ok(())
        });
    }
}
