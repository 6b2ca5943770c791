//! The counts, for people and for programs.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{Count, Judged, Verdict};
use crate::{gate::Outcome, trackers::Figure};

/// Columns of a table in which the path is named.
pub(crate) const NAME_COLUMNS: usize = 27;

/// Everything about the counts that is told.
#[derive(Clone, Debug)]
pub(crate) struct Told<'a> {
    pub(crate) judged: &'a [Judged],
    /// By how much head may cost more, as a share.
    pub(crate) margin: f64,
    /// Base, if there is one, and head, as the user has named them.
    pub(crate) builds: (Option<&'a str>, &'a str),
    /// Valgrind's.
    pub(crate) version: &'a str,
    /// That head's kernels have outside of valgrind.
    pub(crate) instruction_set: &'a str,
    pub(crate) outcome: Outcome,
}

impl Told<'_> {
    /// The table, within 80 columns.
    pub(crate) fn text(&self) -> String {
        let has_base = self.builds.0.is_some();
        let mut text = match has_base {
            true => row(["path", "unit", "base", "head", "head ÷ base", "verdict"]),
            false => short_row(["path", "unit", "instructions", "verdict"]),
        };
        let _ = writeln!(text, "{}", "─".repeat(80));
        for one in self.judged {
            let (name, unit) = (&*one.head.facts.name, &*one.head.facts.unit);
            let (head, verdict) = (figure(Some(&one.head.count)), one.verdict.to_string());
            text += &match has_base {
                true => row([name, unit, &figure(one.base.as_ref()), &head, &ratio(one), &verdict]),
                false => short_row([name, unit, &head, &verdict]),
            };
        }
        for reason in self.reasons() {
            let _ = writeln!(text, "\n{}", wrapped(&reason));
        }
        let _ = writeln!(text, "\n{}\n{}", wrapped(&self.how()), wrapped(&self.sentence()));
        text
    }

    /// For the summary of a CI job or a comment.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("## Instructions: {}\n\n", self.sentence());
        if let (Some(base), head) = self.builds {
            let _ = writeln!(text, "`{head}` against `{base}`.\n");
        }
        text += "| path | unit | base | head | head ÷ base | verdict |\n";
        text += "| :-- | :-- | --: | --: | --: | :-- |\n";
        for one in self.judged {
            let (name, unit) = (&one.head.facts.name, &one.head.facts.unit);
            let (base, head) = (figure(one.base.as_ref()), figure(Some(&one.head.count)));
            let (ratio, verdict) = (ratio(one), one.verdict);
            let _ = writeln!(text, "| {name} | {unit} | {base} | {head} | {ratio} | {verdict} |");
        }
        for reason in self.reasons() {
            let _ = write!(text, "\n{reason}\n");
        }
        let _ = write!(text, "\n{}\n", self.how());
        text
    }

    /// All of it.
    pub(crate) fn json(&self) -> Value {
        let (base, head) = self.builds;
        json!({
            "outcome": self.outcome.name(),
            "base": base,
            "head": head,
            "margin": self.margin,
            "valgrind": self.version,
            "instruction_set": { "counted": self.counted_set(), "here": self.instruction_set },
            "paths": self.judged.iter().map(path_json).collect::<Vec<_>>(),
        })
    }

    /// Head's steady counts, for trackers of benchmarks.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        let figures = self.judged.iter().filter_map(|one| {
            let count = one.head.count.as_ref().ok().filter(|count| count.is_steady)?;
            Some(Figure {
                name: one.head.facts.name.clone(),
                measure: "instructions",
                unit: format!("instructions/{}", one.head.facts.unit),
                value: count.each,
                interval: None,
            })
        });
        figures.collect()
    }

    /// Lines that GitHub shows at the change.
    pub(crate) fn annotations(&self) -> String {
        let mut text = String::new();
        for one in self.judged {
            let told = match one.verdict {
                Verdict::More => format!("{} times base's instructions", ratio(one)),
                Verdict::Lost => one.reason().unwrap_or_default(),
                _ => continue,
            };
            let _ = writeln!(text, "::error title=instructions::{}: {told}", one.head.facts.name);
        }
        text
    }

    /// Why figures are missing: each reason once.
    fn reasons(&self) -> Vec<String> {
        let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
        for one in self.judged {
            let Some(reason) = one.reason() else { continue };
            match reasons.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, names)) => names.push(&one.head.facts.name),
                None => reasons.push((reason, vec![&one.head.facts.name])),
            }
        }
        let tell = |(reason, names): (String, Vec<&str>)| format!("{}: {reason}", names.join(", "));
        reasons.into_iter().map(tell).collect()
    }

    fn counted_set(&self) -> Option<&str> {
        let count = self.judged.iter().find_map(|one| one.head.count.as_ref().ok())?;
        Some(&count.instruction_set)
    }

    fn how(&self) -> String {
        let kernels = match self.counted_set() {
            Some(counted) if counted != self.instruction_set => format!(
                "; its kernels are those for {counted}, although this machine runs those for {}, \
                 which this valgrind does not know",
                self.instruction_set
            ),
            Some(counted) => format!("; its kernels are those for {counted}"),
            None => String::new(),
        };
        format!("counted with callgrind of valgrind {}{kernels}", self.version)
    }

    fn sentence(&self) -> String {
        let (margin, compared) = (self.margin * 100.0, self.builds.0.is_some());
        let count = |wanted| self.judged.iter().filter(|one| one.verdict == wanted).count();
        match self.outcome {
            Outcome::Pass if compared => {
                format!("pass: nothing executes more instructions by more than {margin} %")
            }
            Outcome::Pass => {
                format!("{} counts that are the same every time", count(Verdict::Counted))
            }
            Outcome::Regression => {
                let more = count(Verdict::More);
                format!("regression: {more} with more instructions by more than {margin} %")
            }
            Outcome::Inconclusive if compared => {
                "inconclusive: there is nothing that can be compared".to_owned()
            }
            Outcome::Inconclusive => "inconclusive: no count is the same every time".to_owned(),
            Outcome::Broken => match count(Verdict::Lost) {
                0 => "broken: head cannot be counted".to_owned(),
                lost => format!("broken: head has lost {lost} of base's counts"),
            },
        }
    }
}

fn path_json(one: &Judged) -> Value {
    let each = |count: Option<&Result<Count, String>>| {
        count.and_then(|count| count.as_ref().ok()).and_then(Count::known)
    };
    json!({
        "path": one.head.facts.name,
        "unit": one.head.facts.unit,
        "base": each(one.base.as_ref()),
        "head": each(Some(&one.head.count)),
        "ratio": one.ratio(),
        "verdict": one.verdict.to_string(),
        "reason": one.reason(),
    })
}

fn row([name, unit, base, head, ratio, verdict]: [&str; 6]) -> String {
    format!("{name:<NAME_COLUMNS$} {unit:<8} {base:>10} {head:>10} {ratio:>11}  {verdict}\n")
}

fn short_row([name, unit, instructions, verdict]: [&str; 4]) -> String {
    format!("{name:<NAME_COLUMNS$} {unit:<8} {instructions:>14}  {verdict}\n")
}

fn figure(count: Option<&Result<Count, String>>) -> String {
    match count.and_then(|count| count.as_ref().ok()).and_then(Count::known) {
        Some(each) if each < 10.0 => format!("{each:.4}"),
        Some(each) => format!("{each:.2}"),
        None => "–".to_owned(),
    }
}

fn ratio(one: &Judged) -> String {
    one.ratio().map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.4}"))
}

fn wrapped(text: &str) -> String {
    textwrap::fill(text, 80)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Counted, judge, paths},
        *,
    };

    fn counted(each: f64) -> Vec<Counted> {
        let paths = paths::inventory().paths.into_iter().enumerate();
        let count = |index: usize| match index {
            0 => Err("a reason of some words ".repeat(8)),
            1 => Ok(Count { each, is_steady: false, instruction_set: "V3".to_owned() }),
            _ => Ok(Count { each, is_steady: true, instruction_set: "V3".to_owned() }),
        };
        paths.map(|(index, facts)| Counted { facts, count: count(index) }).collect()
    }

    fn told<'a>(judged: &'a [Judged], base: Option<&'a str>) -> Told<'a> {
        let outcome = crate::instructions::outcome(judged);
        let (builds, version, instruction_set) = ((base, "head"), "3.19.0", "V4");
        Told { judged, margin: 0.01, builds, version, instruction_set, outcome }
    }

    #[test]
    fn a_table_fits_a_terminal_with_a_base_and_without() {
        let base = counted(999_999.9);
        let judged = [judge(counted(1_234_567.8), Some(&base), 0.01), judge(base, None, 0.01)];
        for (judged, base) in judged.iter().zip([Some("base"), None]) {
            let text = told(judged, base).text();
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
            assert!(text.contains("V4, which this valgrind does not know"), "{text}");
            assert!(text.contains("kernel/sum-of-squares: a reason"), "{text}");
        }
    }

    #[test]
    fn only_what_is_the_same_every_time_is_tracked() {
        let judged = judge(counted(7.0), None, 0.01);
        let figures = told(&judged, None).figures();
        assert_eq!(figures.len(), judged.len() - 2);
        assert_eq!((&*figures[0].name, figures[0].value), ("kernel/cube", 7.0));
    }
}
