//! "Did you mean …?"

/// How alike two names must be for one to be taken as a slip for the other:
/// what clap uses for its own suggestions.
const ALIKE: f64 = 0.7;

/// What is allowed, and the one that `name` probably stands for.
pub(crate) fn among<'a>(name: &str, allowed: impl IntoIterator<Item = &'a str>) -> String {
    let allowed: Vec<&str> = allowed.into_iter().collect();
    let list = allowed.join(", ");
    match closest(name, &allowed) {
        Some(meant) => format!("did you mean `{meant}`? allowed: {list}"),
        None => format!("allowed: {list}"),
    }
}

/// The one of `allowed` that `name` is most likely a slip for.
pub(crate) fn closest<'a>(name: &str, allowed: &[&'a str]) -> Option<&'a str> {
    let likeness = |other: &str| strsim::jaro_winkler(&name.to_lowercase(), other);
    let best = allowed.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) >= ALIKE).then_some(*best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_met_with_the_name_that_was_meant() {
        let said = among("rayn", ["serial", "threads", "rayon"]);
        assert_eq!(said, "did you mean `rayon`? allowed: serial, threads, rayon");
    }

    #[test]
    fn something_else_altogether_is_met_with_the_list_alone() {
        assert_eq!(among("xyz", ["serial", "threads"]), "allowed: serial, threads");
    }
}
