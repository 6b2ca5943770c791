//! Folders of sweeps below another folder.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    StorageError,
    folder::{CONFIG, ENVIRONMENT, RECORDS},
};

/// Every sweep's folder at or below `root`, in the order of their names; not those
/// that only a link leads to, such as `latest`, since they are there already.
///
/// Whatever has one of a sweep's files is taken for one, so that what is broken
/// can be named. Only records make a sweep of a folder for certain: below others,
/// which may have a stray file, there can be more.
///
/// # Errors
///
/// If `root` cannot be read.
pub(crate) fn sweep_folders(root: &Path) -> Result<Vec<PathBuf>, StorageError> {
    let help = "name a folder with reports in it, or measure first: `driver sweep`";
    fs::read_dir(root).map_err(|cause| {
        StorageError::new(format!("cannot read `{}`: {cause}", root.display()), help)
    })?;
    let mut found = Vec::new();
    collect(root, &mut found);
    Ok(found)
}

/// Whether `folder` is a sweep's own.
pub(crate) fn has_records(folder: &Path) -> bool {
    folder.join(RECORDS).exists()
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    let is_sweep = [RECORDS, ENVIRONMENT, CONFIG].iter().any(|name| folder.join(name).exists());
    let entries = fs::read_dir(folder);
    if is_sweep || entries.is_err() {
        found.push(folder.to_owned());
    }
    if has_records(folder) {
        return;
    }
    let folders = entries.into_iter().flatten().flatten();
    let folders = folders.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut folders: Vec<PathBuf> = folders.map(|entry| entry.path()).collect();
    folders.sort();
    folders.iter().for_each(|folder| collect(folder, found));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sweeps_are_found_at_any_depth_once_and_nothing_else_is() {
        let root = tempfile::tempdir().expect("a folder");
        for name in ["b", "year/a", "history", "b/plots"] {
            fs::create_dir_all(root.path().join(name)).expect("created");
        }
        for name in ["b/records.jsonl", "year/a/config.toml", "history/history.json"] {
            fs::write(root.path().join(name), "").expect("written");
        }
        std::os::unix::fs::symlink("b", root.path().join("latest")).expect("linked");
        let found = sweep_folders(root.path()).expect("readable");
        assert_eq!(found, ["b", "year/a"].map(|name| root.path().join(name)));
        // What lies about hides nothing.
        fs::write(root.path().join("config.toml"), "").expect("written");
        fs::write(root.path().join("year/environment.json"), "").expect("written");
        let found = sweep_folders(root.path()).expect("readable");
        assert_eq!(found, ["", "b", "year", "year/a"].map(|name| root.path().join(name)));
        let named = root.path().join("latest");
        assert_eq!(sweep_folders(&named).expect("readable"), [named]);
    }
}
