//! What it costs that workers note what they execute.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    contest::Contestant,
    peers::sampler::Sampler,
    stage::Stage,
    trouble::{Result, Trouble},
};

/// The program that says what a task costs, from this workspace.
const PROGRAM: &str = "dispatch-cost";

/// See the program.
const WAYS: [&str; 3] = ["shm-pool, chunks", "shm-pool, map", "pipe-pool, map"];

pub(crate) fn on_against_off(stage: &mut Stage<'_>) -> Result<()> {
    // Each is something to say, lest it be taken for silence.
    stage.note("two builds of a small program, one of them with `--features unsupervised`")?;
    let on = build(&[])?;
    stage.note(format!("`{}` was built", on.display()))?;
    let off = build(&["--features", "unsupervised"])?;
    stage.note(format!("`{}` was built", off.display()))?;
    let time = stage.part(WAYS.len());
    for way in WAYS {
        let [mut on, mut off] = [Sampler::start(&on)?, Sampler::start(&off)?];
        let mut contestants = [
            Contestant::new("on", move || on.ask(way)),
            Contestant::new("off", move || off.ask(way)),
        ];
        stage.alternate(way, time, &mut contestants, |t| t[0] / t[1])?;
    }
    Ok(())
}

/// The program, built as `cargo` builds this one, with these arguments too.
fn build(arguments: &[&str]) -> Result<PathBuf> {
    // As cargo sets them for what it runs.
    let set = |name| env::var_os(name);
    let (Some(cargo), Some(package)) = (set("CARGO"), set("CARGO_MANIFEST_DIR")) else {
        let why = "it is built for this, from the sources, which only `cargo run` knows";
        return Err(Trouble::lacking(why));
    };
    let folder = target().join(if arguments.is_empty() { "supervised" } else { "unsupervised" });
    let built = Command::new(cargo)
        .args(["build", "--release", "--package", PROGRAM, "--target-dir"])
        .arg(&folder)
        .args(arguments)
        .current_dir(package)
        .output()?;
    if !built.status.success() {
        let why = String::from_utf8_lossy(&built.stderr);
        return Err(Trouble::lacking(format!("`{PROGRAM}` cannot be built: {}", why.trim())));
    }
    Ok(folder.join("release").join(PROGRAM))
}

/// Where this program was built.
fn target() -> PathBuf {
    let set = env::var_os("CARGO_TARGET_DIR").filter(|set| set != &OsString::new());
    let this = env::current_exe().unwrap_or_default();
    let above = this.parent().and_then(Path::parent).map(Path::to_owned);
    above.or(set.map(PathBuf::from)).unwrap_or_else(|| PathBuf::from("target"))
}
