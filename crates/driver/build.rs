//! Facts about the build that every report must name.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

fn main() {
    set("PROFILE", &profile_name());
    set("OPT_LEVEL", &env::var("OPT_LEVEL").unwrap_or_default());
    set("TARGET", &env::var("TARGET").unwrap_or_default());
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    set("RUSTC", &output(Command::new(rustc).arg("--version")).unwrap_or_default());
    let workspace = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    set("COMMIT", &commit(&workspace).unwrap_or_default());
    println!("cargo:rerun-if-changed=build.rs");
}

fn set(name: &str, value: &str) {
    println!("cargo:rustc-env=MANYHANDS_{name}={value}");
}

/// Cargo tells a build script only `debug` or `release`; the folder in which
/// it runs, `target/<profile>/build/<package>/out`, is named after the profile.
fn profile_name() -> String {
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    match out.ancestors().nth(3).and_then(Path::file_name).and_then(|name| name.to_str()) {
        Some("debug") | None => "dev".to_owned(),
        Some(name) => name.to_owned(),
    }
}

/// The commit, with `-dirty` if tracked files differ from it; `None` outside
/// a git checkout of this workspace.
fn commit(package: &Path) -> Option<String> {
    let workspace = package.parent()?.parent()?;
    let top = git(workspace, &["rev-parse", "--show-toplevel"])?;
    // A tarball unpacked inside somebody else's repository has no commit.
    if Path::new(&top).canonicalize().ok()? != workspace.canonicalize().ok()? {
        return None;
    }
    watch(workspace);
    let head = git(workspace, &["rev-parse", "--short=12", "HEAD"])?;
    let changes = git(workspace, &["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changes.is_empty() { head } else { format!("{head}-dirty") })
}

/// Runs this script again when HEAD moves or a source changes. A path that
/// does not exist would make cargo rebuild every time, so only those that do
/// are named.
fn watch(workspace: &Path) {
    let git_paths =
        ["HEAD", "logs/HEAD"].map(|name| git(workspace, &["rev-parse", "--git-path", name]));
    let git_paths = git_paths.into_iter().flatten().map(|path| workspace.join(path));
    for path in git_paths.chain([workspace.join("crates")]).filter(|path| path.exists()) {
        println!("cargo:rerun-if-changed={}", path.display());
    }
}

fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    output(Command::new("git").arg("-C").arg(folder).args(arguments))
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
