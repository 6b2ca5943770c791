//! What a duel can be about.

use super::judge::FEWEST_LIVES;
use crate::config::{Config, ConfigError};

/// Refuses a config with which a duel would be fought and come to nothing.
///
/// # Errors
///
/// If the config, which the user has called `named`, has figures in the place of
/// experiments, starts and ends pools, has runners of its own take part, or starts
/// runners too seldom.
pub(crate) fn require_duel(config: &Config, named: &str) -> Result<(), ConfigError> {
    config.require_experiments(named)?;
    if let Some(cold) = config.experiments.iter().find(|one| one.kind.is_cold()) {
        let problem = format!(
            "`--config {named}`: its experiment `{}` starts and ends pools, which a duel does not \
             measure",
            cold.name
        );
        return Err(ConfigError::flag(
            problem,
            "choose a config of warm runs, e.g. `--config duel`",
        ));
    }
    require_own_backends(config, named)?;
    let lives = config.incarnations;
    if (lives as usize) < FEWEST_LIVES {
        let problem = format!("`--config {named}`: a duel of {lives} `incarnations` shows nothing");
        let help = format!("give it at least {FEWEST_LIVES} `incarnations`, better 16");
        return Err(ConfigError::flag(problem, &help));
    }
    Ok(())
}

/// Both builds host what is compared; a command of the config would be the same one
/// on both sides.
fn require_own_backends(config: &Config, named: &str) -> Result<(), ConfigError> {
    let mut backends = config.experiments.iter().flat_map(|experiment| &experiment.backends);
    let is_external = |name: &&String| config.runners.iter().any(|runner| runner.name == **name);
    let Some(name) = backends.find(is_external) else { return Ok(()) };
    let problem = format!(
        "`--config {named}`: `{name}` is a `[[runner]]` of the config, and a duel measures what \
         the two builds host"
    );
    let help = "leave it out of the config or of its experiments' `backends`; `driver duel` can \
                also name others with `--backends`";
    Err(ConfigError::flag(problem, help))
}
