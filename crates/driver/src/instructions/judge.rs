//! What the counts of two builds come to.

use std::fmt;

use super::{Count, Counted};
use crate::gate::Outcome;

/// A path of head beside that of base.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) head: Counted,
    /// What base's costs or why nobody knows; absent if there is no base.
    pub(crate) base: Option<Result<Count, String>>,
    pub(crate) verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// There is nothing to compare it with.
    Counted,
    /// Neither more nor less than the margin.
    Same,
    /// More than the margin below base.
    Less,
    /// More than the margin above base.
    More,
    /// It costs something else each time: no gate.
    Varies,
    /// It cannot be counted here: of base neither, or not the same every time.
    NotCounted,
    /// Base's is the same every time, and head's cannot be counted, or is not there.
    Lost,
    /// Base has no such path, or it could not be counted there.
    NoBase,
}

/// Each path of `head`, beside the one of `base` that counts the same, if there
/// is a base, and then those that only base has; with a margin as a share.
pub(crate) fn judge(mut head: Vec<Counted>, base: Option<&[Counted]>, margin: f64) -> Vec<Judged> {
    let missing = missing(&head, base.unwrap_or_default());
    head.extend(missing);
    let judge_one = |head: Counted| {
        let base = base.map(|base| base_of(&head, base));
        let verdict = verdict(&head, base.as_ref(), margin);
        Judged { head, base, verdict }
    };
    head.into_iter().map(judge_one).collect()
}

/// The paths of `base` that head does not have by any unit.
fn missing(head: &[Counted], base: &[Counted]) -> Vec<Counted> {
    let is_missing = |one: &&Counted| head.iter().all(|known| known.facts.name != one.facts.name);
    let told = |one: &Counted| Counted {
        facts: one.facts.clone(),
        count: Err("head has no such path".to_owned()),
    };
    base.iter().filter(is_missing).map(told).collect()
}

fn base_of(head: &Counted, base: &[Counted]) -> Result<Count, String> {
    let same =
        |one: &&Counted| (&one.facts.name, &one.facts.unit) == (&head.facts.name, &head.facts.unit);
    base.iter()
        .find(same)
        .map_or_else(|| Err("base has no such path".to_owned()), |one| one.count.clone())
}

fn verdict(head: &Counted, base: Option<&Result<Count, String>>, margin: f64) -> Verdict {
    let (head, base) = match (&head.count, base) {
        (Err(_), Some(Ok(base))) if base.is_steady => return Verdict::Lost,
        (Err(_), _) => return Verdict::NotCounted,
        (Ok(head), None) if head.is_steady => return Verdict::Counted,
        (Ok(_), None) => return Verdict::Varies,
        (Ok(_), Some(Err(_))) => return Verdict::NoBase,
        (Ok(head), Some(Ok(base))) => (head, base),
    };
    if !(head.is_steady && base.is_steady) {
        return Verdict::Varies;
    }
    match head.each / base.each {
        ratio if ratio > 1.0 + margin => Verdict::More,
        ratio if ratio < 1.0 - margin => Verdict::Less,
        _ => Verdict::Same,
    }
}

impl Judged {
    /// Head's over base's, where both are known.
    pub(crate) fn ratio(&self) -> Option<f64> {
        let (head, base) = (self.head.count.as_ref().ok()?, self.base.as_ref()?.as_ref().ok()?);
        Some(head.known()? / base.known()?)
    }

    /// Why there is no figure, where there is none.
    pub(crate) fn reason(&self) -> Option<String> {
        match (&self.head.count, &self.base) {
            (Err(why), _) => Some(why.clone()),
            (Ok(_), Some(Err(why))) => Some(format!("base: {why}")),
            _ => None,
        }
    }
}

/// What all paths come to: broken if head has lost what could be counted of base, or
/// nothing could be counted and there is no base; inconclusive if nothing could be
/// compared. A valgrind that can count neither of the two says nothing of head.
pub(crate) fn outcome(judged: &[Judged]) -> Outcome {
    let any = |wanted: &[Verdict]| judged.iter().any(|one| wanted.contains(&one.verdict));
    let is_mute = |one: &Judged| one.base.is_none() && one.head.count.is_err();
    if any(&[Verdict::Lost]) || judged.iter().all(is_mute) {
        Outcome::Broken
    } else if any(&[Verdict::More]) {
        Outcome::Regression
    } else if any(&[Verdict::Same, Verdict::Less, Verdict::Counted]) {
        Outcome::Pass
    } else {
        Outcome::Inconclusive
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Counted => "exact",
            Self::Same => "same",
            Self::Less => "less",
            Self::More => "more",
            Self::Varies => "varies",
            Self::NotCounted => "not here",
            Self::Lost => "failed",
            Self::NoBase => "no base",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::paths::Facts, *};

    const STEADY: bool = true;

    fn counted(name: &str, count: Option<(f64, bool)>) -> Counted {
        let (name, unit) = (name.to_owned(), "task".to_owned());
        let count = count.map(|(each, is_steady)| Count {
            each,
            is_steady,
            instruction_set: String::new(),
        });
        let facts = Facts { name, unit, units: 1, times: 1 };
        Counted { facts, count: count.ok_or_else(|| "no".to_owned()) }
    }

    fn verdicts(head: &[Counted], base: Option<&[Counted]>) -> (Vec<Verdict>, Outcome) {
        let judged = judge(head.to_vec(), base, 0.01);
        (judged.iter().map(|one| one.verdict).collect(), outcome(&judged))
    }

    #[test]
    fn more_than_the_margin_is_a_regression_and_less_is_none() {
        let base = [counted("a", Some((100.0, STEADY)))];
        for (each, verdict, outcome) in [
            (101.0, Verdict::Same, Outcome::Pass),
            (99.0, Verdict::Same, Outcome::Pass),
            (101.1, Verdict::More, Outcome::Regression),
            (98.9, Verdict::Less, Outcome::Pass),
        ] {
            let head = [counted("a", Some((each, STEADY)))];
            assert_eq!(verdicts(&head, Some(&base)), (vec![verdict], outcome), "{each}");
        }
    }

    #[test]
    fn what_varies_is_no_gate() {
        let steady = [counted("a", Some((100.0, STEADY)))];
        let varying = [counted("a", Some((200.0, false)))];
        let expected = (vec![Verdict::Varies], Outcome::Inconclusive);
        assert_eq!(verdicts(&varying, Some(&steady)), expected);
        assert_eq!(verdicts(&steady, Some(&varying)), expected);
        assert_eq!(verdicts(&varying, None), expected);
    }

    #[test]
    fn what_base_does_not_know_is_compared_with_nothing() {
        let head = [counted("a", Some((100.0, STEADY))), counted("new", Some((1.0, STEADY)))];
        let (known, outcome) = verdicts(&head, Some(&head[..1]));
        assert_eq!((known, outcome), (vec![Verdict::Same, Verdict::NoBase], Outcome::Pass));
        assert_eq!(verdicts(&head, Some(&[])).1, Outcome::Inconclusive);
        assert_eq!(verdicts(&head, None).1, Outcome::Pass);
    }

    #[test]
    fn what_only_base_has_is_a_row_and_lost_if_it_could_be_counted_there() {
        let head = [counted("a", Some((100.0, STEADY)))];
        let with = |count| [head[0].clone(), counted("gone", count)];
        for (count, verdict, outcome) in [
            (Some((1.0, STEADY)), Verdict::Lost, Outcome::Broken),
            (Some((1.0, false)), Verdict::NotCounted, Outcome::Pass),
            (None, Verdict::NotCounted, Outcome::Pass),
        ] {
            let judged = judge(head.to_vec(), Some(&with(count)), 0.01);
            assert_eq!((judged[1].verdict, super::outcome(&judged)), (verdict, outcome));
            assert_eq!(judged[1].reason().as_deref(), Some("head has no such path"));
        }
    }

    #[test]
    fn what_cannot_be_counted_anywhere_is_a_row_and_what_head_alone_cannot_do_is_broken() {
        let head = [counted("a", Some((100.0, STEADY))), counted("b", None)];
        assert_eq!(verdicts(&head, Some(&head)).1, Outcome::Pass);
        assert_eq!(verdicts(&head, None).1, Outcome::Pass);
        let base = [head[0].clone(), counted("b", Some((1.0, STEADY)))];
        let (known, outcome) = verdicts(&head, Some(&base));
        assert_eq!((known, outcome), (vec![Verdict::Same, Verdict::Lost], Outcome::Broken));
        assert_eq!(verdicts(&head[1..], None).1, Outcome::Broken);
    }

    #[test]
    fn where_nothing_can_be_counted_of_base_either_head_is_not_to_blame() {
        let nothing = [counted("a", None), counted("b", None)];
        let expected = (vec![Verdict::NotCounted; 2], Outcome::Inconclusive);
        assert_eq!(verdicts(&nothing, Some(&nothing)), expected);
    }

    #[test]
    fn what_varies_of_base_is_not_lost_if_head_cannot_be_counted() {
        let head = [counted("a", Some((100.0, STEADY))), counted("b", None)];
        let base = [head[0].clone(), counted("b", Some((100.0, false)))];
        let expected = (vec![Verdict::Same, Verdict::NotCounted], Outcome::Pass);
        assert_eq!(verdicts(&head, Some(&base)), expected);
    }

    #[test]
    fn where_more_varies_than_it_costs_there_is_no_ratio() {
        let [steady, hidden] = [(100.0, STEADY), (0.0, false)].map(|one| counted("a", Some(one)));
        for (head, base) in [(&steady, &hidden), (&hidden, &steady)] {
            let judged = judge(vec![head.clone()], Some(std::slice::from_ref(base)), 0.01);
            assert_eq!((judged[0].verdict, judged[0].ratio()), (Verdict::Varies, None));
        }
    }
}
