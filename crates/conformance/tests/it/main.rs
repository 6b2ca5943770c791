//! The workspace keeps the invariants that ARCHITECTURE.md states.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Which of our crates each may depend on.
const ARROWS: [(&str, &[&str]); 14] = [
    ("workloads", &[]),
    ("multiproc", &[]),
    ("stats", &[]),
    ("harness", &["workloads"]),
    ("serial", &["harness"]),
    ("threads", &["harness"]),
    ("rayon-pool", &["harness"]),
    ("pipe-pool", &["harness", "multiproc"]),
    ("shm-pool", &["harness", "multiproc"]),
    ("conformance", &["harness", "multiproc"]),
    ("report", &["harness", "stats"]),
    ("limits", &["conformance", "multiproc", "pipe-pool", "shm-pool", "stats", "workloads"]),
    ("dispatch-cost", &["multiproc", "pipe-pool", "shm-pool"]),
    (
        "driver",
        &[
            "harness",
            "limits",
            "pipe-pool",
            "rayon-pool",
            "report",
            "serial",
            "shm-pool",
            "stats",
            "threads",
        ],
    ),
];

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("crates/").to_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All Rust files below `folder`.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn arrows_between_crates_run_one_way() {
    let names: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    for (name, allowed) in ARROWS {
        let manifest: toml::Table = read(&crates().join(name).join("Cargo.toml")).parse().unwrap();
        let dependencies = manifest.get("dependencies").and_then(|table| table.as_table());
        let ours = dependencies.into_iter().flat_map(|table| table.keys());
        let ours: BTreeSet<&str> =
            ours.map(String::as_str).filter(|name| names.contains(name)).collect();
        let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
        assert!(ours.is_subset(&allowed), "{name} depends on {ours:?}, it may on {allowed:?}");
    }
}

#[test]
fn every_crate_of_the_workspace_has_its_arrows_listed() {
    let listed: BTreeSet<String> = ARROWS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let folders = fs::read_dir(crates()).unwrap().flatten();
    let present = folders.filter(|entry| entry.path().join("Cargo.toml").exists());
    let present: BTreeSet<String> =
        present.map(|entry| entry.file_name().into_string().unwrap()).collect();
    assert_eq!(listed, present);
}

#[test]
fn unsafe_code_is_forbidden_outside_multiproc() {
    for (name, _) in ARROWS.iter().filter(|(name, _)| *name != "multiproc") {
        let src = crates().join(name).join("src");
        let root =
            ["lib.rs", "main.rs"].map(|root| src.join(root)).into_iter().find(|root| root.exists());
        let root = root.unwrap_or_else(|| panic!("{name} has a root"));
        assert!(read(&root).contains("#![forbid(unsafe_code)]"), "{}", root.display());
    }
}

#[test]
fn statistics_and_report_are_pure() {
    let impure = [
        "std::fs",
        "std::env",
        "std::net",
        "std::process",
        "std::thread",
        "Instant::now",
        "SystemTime",
    ];
    for path in
        ["stats", "report"].iter().flat_map(|name| sources(&crates().join(name).join("src")))
    {
        let text = read(&path);
        let found: Vec<_> = impure.iter().filter(|word| text.contains(**word)).collect();
        assert!(found.is_empty(), "{} uses {found:?}", path.display());
    }
}

#[test]
fn multiproc_has_never_heard_of_benchmarks() {
    for path in sources(&crates().join("multiproc/src")) {
        let text = read(&path).to_lowercase();
        let found: Vec<_> = ["benchmark", "harness", "workload"]
            .into_iter()
            .filter(|word| text.contains(word))
            .collect();
        assert!(found.is_empty(), "{} speaks of {found:?}", path.display());
    }
}
