//! What is not the same between two machines and builds.

use harness::environment::Environment;

use super::Difference;

/// Facts by which times differ, those that matter most first.
pub(super) fn between(a: &Environment, b: &Environment) -> Vec<Difference> {
    let facts = facts(a).into_iter().zip(facts(b));
    let differ = facts.filter(|((_, a), (_, b))| a != b);
    differ.map(|((fact, a), (_, b))| Difference { fact, a, b }).collect()
}

fn facts(of: &Environment) -> [(&'static str, String); 13] {
    let told = |fact: &Option<String>| fact.clone().unwrap_or_else(|| "unknown".to_owned());
    let quota = of.cgroup_quota_cores.map_or("none".to_owned(), |cores| format!("{cores} cores"));
    [
        ("processor", told(&of.cpu)),
        ("usable cores", of.available_cores.to_string()),
        ("cores of the host", of.host_cores.to_string()),
        ("cgroup quota", quota),
        ("instruction set", of.instruction_set.clone()),
        ("virtualization", told(&of.virtualization)),
        ("governor", told(&of.governor)),
        ("kernel", told(&of.kernel)),
        ("system", told(&of.os)),
        ("rustc", of.rustc.clone()),
        ("profile", format!("{}, opt-level {}", of.profile, of.opt_level)),
        ("version", of.version.clone()),
        ("commit", told(&of.commit)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_told_and_what_is_not_known_is_told_as_that() {
        let a = Environment { kernel: Some("6.1".to_owned()), ..Environment::default() };
        let b = Environment { available_cores: 2, ..Environment::default() };
        let told = between(&a, &b);
        let told: Vec<(&str, &str, &str)> =
            told.iter().map(|d| (d.fact, d.a.as_str(), d.b.as_str())).collect();
        assert_eq!(told, [("usable cores", "0", "2"), ("kernel", "6.1", "unknown")]);
        assert_eq!(between(&a, &a), []);
    }
}
