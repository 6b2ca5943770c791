//! Counting the paths of a build.

use std::{
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::{
    Valgrind,
    paths::{Facts, Inventory},
    valgrind::Total,
};
use crate::client::inventory;

/// What counts of the same thing may differ by, as a share, to be one number: far
/// below what anybody would gate on.
const STEADY: f64 = 0.001;

/// A driver and what it says of itself.
#[derive(Debug)]
pub(crate) struct Build {
    pub(crate) program: PathBuf,
    pub(crate) inventory: Inventory,
}

/// What a path costs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Count {
    /// Instructions for each of the path's units; zero if more than that varies.
    pub(crate) each: f64,
    /// Whether it is the same number every time.
    pub(crate) is_steady: bool,
    /// That the kernels were dispatched to under valgrind.
    pub(crate) instruction_set: String,
}

/// A path, and what it costs or why nobody knows.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    pub(crate) facts: Facts,
    pub(crate) count: Result<Count, String>,
}

impl Build {
    /// Asks `program` for its paths.
    ///
    /// # Errors
    ///
    /// If it does not know what that is: an older driver, or none.
    pub(crate) fn ask(program: PathBuf) -> Result<Self, String> {
        Ok(Self { inventory: inventory::ask(&program)?, program })
    }
}

impl Count {
    /// Instructions for each of the path's units, where they can be told.
    pub(crate) fn known(&self) -> Option<f64> {
        (self.each > 0.0).then_some(self.each)
    }
}

/// Counts the paths of `build` that are `wanted`, several at a time: they do not
/// disturb each other.
pub(crate) fn count(
    valgrind: &Valgrind,
    build: &Build,
    wanted: impl Fn(&str) -> bool,
) -> Vec<Counted> {
    let paths = build.inventory.paths.iter().filter(|facts| wanted(&facts.name));
    let counted: Vec<Mutex<Counted>> = paths
        .map(|facts| Counted { facts: facts.clone(), count: Err("not counted".to_owned()) })
        .map(Mutex::new)
        .collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(one) = counted.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut one = one.lock().unwrap_or_else(PoisonError::into_inner);
            one.count = count_path(valgrind, build, &one.facts);
        }
    };
    let threads = crate::environment::available_cores().get().min(counted.len());
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    counted
        .into_iter()
        .map(|one| one.into_inner().unwrap_or_else(PoisonError::into_inner))
        .collect()
}

/// Twice so many times and once twice as many: what is the same in both cancels in
/// the difference, and the first two say whether there is anything else.
fn count_path(valgrind: &Valgrind, build: &Build, facts: &Facts) -> Result<Count, String> {
    let total = |times: u64| {
        // Of one length, whatever the numbers: arguments lie on the stack.
        let [times, me] = [times, std::process::id().into()].map(|n| format!("{n:010}"));
        let arguments = ["paths", &facts.name, "--times", &times, "--parent", &me];
        let counted = valgrind.count(&build.program, &arguments.map(str::to_owned));
        counted.map_err(|why| explain(valgrind, facts, why))
    };
    let few = [total(facts.times)?, total(facts.times)?];
    difference(facts, few, total(2 * facts.times)?)
}

fn difference(facts: &Facts, few: [Total; 2], many: Total) -> Result<Count, String> {
    let [once, again] = few.map(|total| total.instructions);
    let cost = many.instructions.saturating_sub(once) as f64;
    let each = cost / (facts.times * facts.units) as f64;
    let is_steady = once.abs_diff(again) as f64 <= STEADY * cost;
    // Where the totals scatter, twice as much may happen to cost less: that is no
    // failure of the path.
    if is_steady && each <= 0.0 {
        return Err("twice as much costs no more".to_owned());
    }
    Ok(Count { each, is_steady, instruction_set: many.printed.trim().to_owned() })
}

/// Says so where valgrind is known to be the reason.
fn explain(valgrind: &Valgrind, facts: &Facts, why: String) -> String {
    let starts_processes = facts.name.ends_with("/run");
    if starts_processes && !valgrind.knows_pools() {
        let version = &valgrind.version;
        format!("{why}; valgrind {version} has no pidfd_open, 3.21 is the first that has")
    } else {
        why
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(name: &str) -> Facts {
        let (name, unit) = (name.to_owned(), "task".to_owned());
        Facts { name, unit, units: 10, times: 100 }
    }

    fn count(few: [u64; 2], many: u64) -> Result<Count, String> {
        let total = |instructions| Total { instructions, printed: "V3\n".to_owned() };
        difference(&facts("x"), few.map(total), total(many))
    }

    #[test]
    fn what_is_the_same_in_both_counts_cancels() {
        let expected = Count { each: 5.0, is_steady: true, instruction_set: "V3".to_owned() };
        assert_eq!(count([1_000_000, 1_000_000], 1_005_000), Ok(expected));
        assert!(count([1_000, 1_000], 1_000).is_err());
        assert!(count([1_000, 1_000], 900).is_err());
    }

    #[test]
    fn a_count_that_comes_out_otherwise_each_time_is_not_steady() {
        let is_steady = |again| count([100_000, again], 200_000).unwrap().is_steady;
        assert!(is_steady(100_000) && is_steady(100_100) && is_steady(99_900));
        assert!(!is_steady(100_101) && !is_steady(99_000));
    }

    #[test]
    fn what_varies_so_much_that_twice_as_much_costs_less_is_no_failure() {
        let hidden = count([3_000, 1_000], 2_000).unwrap();
        assert_eq!((hidden.is_steady, hidden.known()), (false, None));
    }

    #[test]
    fn an_old_valgrind_is_named_where_it_is_the_reason() {
        let explain = |version: &str, name: &str| {
            super::explain(&Valgrind { version: version.to_owned() }, &facts(name), "no".to_owned())
        };
        assert!(explain("3.19.0", "shm-pool/run").contains("3.19.0 has no pidfd_open"));
        assert_eq!(explain("3.19.0", "kernel/cube"), "no");
        assert_eq!(explain("3.22.0", "shm-pool/run"), "no");
    }
}
