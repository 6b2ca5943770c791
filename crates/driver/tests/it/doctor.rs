//! What `driver doctor` prints, on a machine of whatever kind.

use std::collections::BTreeSet;

use crate::scene::{End, Scene};

/// Everything that is looked at, whether or not it can be read here.
const FINDINGS: [&str; 23] = [
    "steal time",
    "other processes",
    "run queue",
    "cpu pressure",
    "memory pressure",
    "io pressure",
    "frequency",
    "governor",
    "turbo",
    "thermal throttling",
    "SMT",
    "affinity",
    "virtual machine",
    "cgroup quota",
    "cgroup throttling",
    "memory available",
    "swap",
    "huge pages",
    "clock source",
    "timer resolution",
    "clock read",
    "neighbours",
    "detectable effect",
];

/// The exit code and the warnings must say the same.
fn assert_consistent(end: &End, warnings: usize) {
    assert_eq!(end.code, Some(i32::from(warnings > 0)), "{end:?}");
}

#[test]
fn the_doctor_prints_a_line_a_finding_and_says_what_to_do_about_each_warning() {
    let end = Scene::new().run(&["doctor"]);
    let lines: Vec<&str> = end.stdout.lines().collect();
    for finding in FINDINGS {
        let begins = |line: &&&str| {
            ["ok    ", "note  ", "warn  "]
                .iter()
                .any(|level| line.strip_prefix(level).is_some_and(|rest| rest.starts_with(finding)))
        };
        assert_eq!(lines.iter().filter(begins).count(), 1, "{finding}: {}", end.stdout);
    }
    let warnings: Vec<usize> =
        (0..lines.len()).filter(|&line| lines[line].starts_with("warn  ")).collect();
    for &warning in &warnings {
        let advice = lines[warning + 1..].iter().find(|line| !line.starts_with("          "));
        assert!(advice.is_some_and(|line| line.starts_with("      → ")), "{}", end.stdout);
    }
    let verdict = if warnings.is_empty() { "Fit for measuring." } else { "Usable, with " };
    assert!(end.stdout.contains(verdict), "{}", end.stdout);
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{}", end.stdout);
    assert_consistent(&end, warnings.len());
}

#[test]
fn machines_get_json_with_the_same_findings_and_their_figures() {
    let end = Scene::new().run(&["--doctor", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&end.stdout).expect("json");
    let findings = json["findings"].as_array().expect("findings");
    let found: BTreeSet<&str> =
        findings.iter().filter_map(|finding| finding["what"].as_str()).collect();
    assert!(FINDINGS.iter().all(|finding| found.contains(finding)), "{found:?}");
    let warned = findings.iter().filter(|finding| finding["level"] == "warn").count();
    assert_eq!(json["warnings"].as_array().map(Vec::len), Some(warned));
    assert_eq!(json["fit"], warned == 0);
    assert_consistent(&end, warned);
    let displaced = findings.iter().find(|finding| finding["what"] == "displaced blocks");
    let blocks = displaced.and_then(|finding| finding["figures"]["blocks"].as_f64());
    assert!(blocks.is_some_and(|blocks| blocks >= 40.0), "{}", end.stdout);
}

#[test]
fn what_the_doctor_does_not_know_is_a_usage_error() {
    let end = Scene::new().run(&["doctor", "--jsn"]);
    assert_eq!(end.code, Some(2), "{end:?}");
    assert!(end.stderr.contains("--json"), "{end:?}");
}
