//! The sweep's folder and the files in it that are replaced as a whole.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use harness::environment::Environment;

use super::{Journal, StorageError};
use crate::config::Config;

pub(super) const RECORDS: &str = "records.jsonl";
pub(super) const ENVIRONMENT: &str = "environment.json";
pub(super) const CONFIG: &str = "config.toml";

/// Where reports go if nobody says otherwise, relative to the current folder.
const REPORTS: &str = "reports";

/// A sweep's folder.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// A new folder at `path`, which may exist but must be empty.
    ///
    /// # Errors
    ///
    /// If it is not empty or cannot be written.
    pub(crate) fn create(
        path: &Path,
        environment: &Environment,
        config: &Config,
    ) -> Result<(Self, Journal), StorageError> {
        let folder = Self::found(path, environment, config)?;
        let journal = Journal::create(&path.join(RECORDS), config.seed)?;
        Ok((folder, journal))
    }

    /// The same without records.
    ///
    /// # Errors
    ///
    /// As for [`create`](Self::create).
    pub(crate) fn found(
        path: &Path,
        environment: &Environment,
        config: &Config,
    ) -> Result<Self, StorageError> {
        fs::create_dir_all(path).map_err(|cause| StorageError::writing(path, cause))?;
        let mut entries = fs::read_dir(path).map_err(|cause| StorageError::reading(path, cause))?;
        if entries.next().is_some() {
            let problem = format!("`{}` is not empty", path.display());
            let help =
                "choose another folder with `--out`, or go on with that sweep with `--resume`";
            return Err(StorageError::new(problem, help));
        }
        let folder = Self(path.to_owned());
        let facts = serde_json::to_string_pretty(environment).expect("facts are plain data");
        folder.replace(ENVIRONMENT, &facts)?;
        folder.replace(CONFIG, &config.to_toml())?;
        Ok(folder)
    }

    /// The folder of an earlier sweep.
    pub(crate) fn existing(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The config as run.
    pub(crate) fn config_path(&self) -> PathBuf {
        self.0.join(CONFIG)
    }

    /// The machine and the build.
    ///
    /// # Errors
    ///
    /// If the file is missing or damaged.
    pub(crate) fn environment(&self) -> Result<Environment, StorageError> {
        let path = self.0.join(ENVIRONMENT);
        let text =
            fs::read_to_string(&path).map_err(|cause| StorageError::reading(&path, cause))?;
        serde_json::from_str(&text).map_err(|error| StorageError::reading(&path, error.into()))
    }

    /// The machine and the build, if the folder has kept them.
    ///
    /// # Errors
    ///
    /// If the file is there and damaged.
    pub(crate) fn environment_if_kept(&self) -> Result<Option<Environment>, StorageError> {
        match self.0.join(ENVIRONMENT).exists() {
            true => self.environment().map(Some),
            false => Ok(None),
        }
    }

    /// The config's text.
    ///
    /// # Errors
    ///
    /// If the file is missing.
    pub(crate) fn config_text(&self) -> Result<String, StorageError> {
        self.text(CONFIG)
    }

    /// The text of the file `name`.
    ///
    /// # Errors
    ///
    /// If it is missing.
    pub(crate) fn text(&self, name: &str) -> Result<String, StorageError> {
        let path = self.0.join(name);
        fs::read_to_string(&path).map_err(|cause| StorageError::reading(&path, cause))
    }

    /// The journal, to go on with.
    ///
    /// # Errors
    ///
    /// If it is missing, damaged, or being written by another sweep.
    pub(crate) fn resume(&self) -> Result<Journal, StorageError> {
        Journal::resume(&self.0.join(RECORDS))
    }

    /// What was measured.
    ///
    /// # Errors
    ///
    /// If the records are missing or damaged.
    pub(crate) fn records(&self) -> Result<Vec<harness::record::Record>, StorageError> {
        Journal::read(&self.0.join(RECORDS))
    }

    /// Puts `contents` in the place of the file `name` in one step: a reader
    /// sees the old or the new one.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(crate) fn replace(&self, name: &str, contents: &str) -> Result<(), StorageError> {
        let path = self.0.join(name);
        let new = self.0.join(format!("{name}.new"));
        let written = path
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&new, contents))
            .and_then(|()| fs::rename(&new, &path));
        written.map_err(|cause| StorageError::writing(&path, cause))
    }
}

/// A folder name in `reports/` that sorts by time: `2026-11-21T03-00-00Z-quick`.
/// A number is added if two sweeps begin in the same second.
pub(crate) fn fresh_path(environment: &Environment, config: &str) -> PathBuf {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(environment.started_unix_s);
    let stamp = humantime::format_rfc3339_seconds(time).to_string().replace(':', "-");
    let first = Path::new(REPORTS).join(format!("{stamp}-{config}"));
    let further = (2..).map(|n| Path::new(REPORTS).join(format!("{stamp}-{config}-{n}")));
    std::iter::once(first).chain(further).find(|path| !path.exists()).expect("some number is free")
}

/// Points `latest`, beside `folder`, at it, in one step.
///
/// # Errors
///
/// If the link cannot be made.
pub(crate) fn point_latest(folder: &Path) -> Result<(), StorageError> {
    let (Some(reports), Some(name)) = (folder.parent(), folder.file_name()) else { return Ok(()) };
    let (link, new) = (reports.join("latest"), reports.join(".latest.new"));
    let _ = fs::remove_file(&new);
    let made: io::Result<()> = symlink(name, &new).and_then(|()| fs::rename(&new, &link));
    made.map_err(|cause| StorageError::writing(&link, cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_empty_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("thesis.tex"), "precious").expect("written");
        let config = Config::shipped("ci").expect("shipped");
        let refused =
            Folder::create(folder.path(), &Environment::default(), &config).expect_err("not empty");
        assert!(refused.to_string().contains("is not empty"), "{refused}");
        assert_eq!(fs::read_dir(folder.path()).expect("read").count(), 1);
    }

    #[test]
    fn latest_points_at_the_newest_report() {
        let reports = tempfile::tempdir().expect("a folder");
        for name in ["first", "second"] {
            let folder = reports.path().join(name);
            fs::create_dir(&folder).expect("created");
            point_latest(&folder).expect("linked");
            let target = fs::read_link(reports.path().join("latest")).expect("a link");
            assert_eq!(target, Path::new(name));
        }
    }

    #[test]
    fn report_folders_are_named_after_the_time_and_the_config() {
        let environment = Environment { started_unix_s: 1_795_230_000, ..Environment::default() };
        let path = fresh_path(&environment, "quick");
        assert_eq!(path, Path::new("reports/2026-11-21T03-00-00Z-quick"));
    }
}
