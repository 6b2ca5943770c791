//! What tasks have computed, by their numbers.

use super::{jobs::DropEach, plain};

/// Results of tasks, of which each has one or none yet.
pub(super) enum Outputs<R> {
    /// Plain data: as it will be given to the caller, so that it is written
    /// once, and which of it is there.
    Plain(Vec<R>, Vec<bool>),
    Other(DropEach<Vec<Option<R>>>),
}

impl<R: 'static> Outputs<R> {
    pub(super) fn none(tasks: usize) -> Self {
        match plain::zeros(tasks) {
            Some(zeros) => Self::Plain(zeros, vec![false; tasks]),
            None => Self::Other((0..tasks).map(|_| None).collect::<Vec<_>>().into()),
        }
    }

    pub(super) fn put(&mut self, task: usize, result: R) {
        match self {
            Self::Plain(results, are_there) => {
                (results[task], are_there[task]) = (result, true);
            }
            Self::Other(results) => results[task] = Some(result),
        }
    }

    /// The results of tasks from `first` on, as their bytes, which must be
    /// those of whole ones.
    pub(super) fn put_run(&mut self, first: usize, bytes: &[u8]) {
        let (Some(size), Self::Plain(results, are_there)) = (plain::size::<R>(), self) else {
            unreachable!("results that are not plain data do not come in runs")
        };
        let content = plain::content_mut(results).expect("plain data");
        content[first * size..][..bytes.len()].copy_from_slice(bytes);
        are_there[first..][..bytes.len() / size].fill(true);
    }

    pub(super) fn has_any(&self) -> bool {
        match self {
            Self::Plain(_, are_there) => are_there.contains(&true),
            Self::Other(results) => results.iter().any(Option::is_some),
        }
    }

    /// The result of every task.
    ///
    /// # Panics
    ///
    /// If one has none.
    pub(super) fn into_all(self) -> Vec<R> {
        const ALL: &str = "no task has failed";
        match self {
            Self::Plain(results, are_there) => {
                assert!(!are_there.contains(&false), "{ALL}");
                results
            }
            Self::Other(results) => {
                results.into_inner().into_iter().map(|result| result.expect(ALL)).collect()
            }
        }
    }

    pub(super) fn into_each(self) -> Vec<Option<R>> {
        match self {
            Self::Plain(results, are_there) => {
                let each = results.into_iter().zip(are_there);
                each.map(|(result, is_there)| is_there.then_some(result)).collect()
            }
            Self::Other(results) => results.into_inner(),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_there_and_nothing_else() {
        let mut plain = Outputs::none(5);
        assert!(!plain.has_any());
        plain.put(0, 7u16);
        plain.put_run(2, &[8, 0, 9, 0]);
        assert!(plain.has_any());
        assert_eq!(plain.into_each(), [Some(7), None, Some(8), Some(9), None]);
        let mut other = Outputs::none(2);
        assert!(!other.has_any());
        other.put(1, "text".to_owned());
        assert!(other.has_any());
        assert_eq!(other.into_each(), [None, Some("text".to_owned())]);
    }

    #[test]
    fn all_are_as_they_were_put() {
        let mut plain: Outputs<u8> = Outputs::none(2);
        plain.put_run(0, &[1, 2]);
        assert_eq!(plain.into_all(), [1, 2]);
        let mut other = Outputs::none(1);
        other.put(0, Some('x'));
        assert_eq!(other.into_all(), [Some('x')]);
    }
}
