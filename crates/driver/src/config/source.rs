//! Where a config comes from: a file, or one of those that are built in.

use std::{fs, path::Path};

use super::{Config, SHIPPED, suggest};
use crate::{config::ConfigError, error::Error, storage::Folder};

impl Config {
    /// The config that `--config` names: a shipped name or a file.
    ///
    /// # Errors
    ///
    /// If there is neither, or the config is wrong.
    pub(crate) fn load(named: &str) -> Result<Self, Error> {
        if SHIPPED.iter().any(|shipped| shipped.name == named) {
            return Ok(Self::shipped(named)?);
        }
        let path = Path::new(named);
        if !path.exists() {
            let names = SHIPPED.iter().map(|shipped| shipped.name);
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or(named);
            let problem = format!(
                "`--config {named}`: there is neither such a file nor such a shipped config"
            );
            return Err(ConfigError::flag(problem, suggest::among(stem, names)).into());
        }
        Self::read(path)
    }

    /// The config in the file at `path`.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or the config is wrong.
    fn read(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path).map_err(|cause| Error::reading(path, cause))?;
        Ok(Self::of_text(path, &text)?)
    }

    /// The config as run that `folder` has kept.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or the config is wrong.
    pub(crate) fn kept_in(folder: &Folder) -> Result<Self, Error> {
        Ok(Self::of_text(&folder.config_path(), &folder.config_text()?)?)
    }

    fn of_text(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let mut config = Self::parse(&path.display().to_string(), text)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for runner in &mut config.runners {
            anchor(&mut runner.command, folder);
        }
        Ok(config)
    }

    /// The shipped config called `name`.
    ///
    /// # Errors
    ///
    /// If it is wrong, which a test rules out.
    pub(crate) fn shipped(name: &str) -> Result<Self, ConfigError> {
        let shipped = SHIPPED.iter().find(|shipped| shipped.name == name);
        let text = shipped.map_or("", |shipped| shipped.text);
        Self::parse(&format!("{name}.toml (built in)"), text)
    }
}

/// Words of a runner's command that begin with `./` or `../` are relative to
/// the config's folder, so that a config can be used from anywhere.
fn anchor(command: &mut [String], folder: &Path) {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    for word in command.iter_mut().filter(|word| word.starts_with("./") || word.starts_with("../"))
    {
        *word = folder.join(&*word).display().to_string();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_look_like_paths_are_relative_to_the_configs_folder() {
        let mut command = ["python3", "../scripts/run.py", "-v"].map(str::to_owned);
        anchor(&mut command, Path::new("/configs"));
        assert_eq!(command, ["python3", "/configs/../scripts/run.py", "-v"]);
    }
}
