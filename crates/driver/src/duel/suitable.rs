//! What a duel can be about.

use super::judge::FEWEST_LIVES;
use crate::config::{Config, ConfigError};

/// Refuses a config with which a duel would be fought and come to nothing.
///
/// # Errors
///
/// If the config, which the user has called `named`, has figures in the place of
/// experiments, starts and ends pools, or starts runners too seldom.
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
    let lives = config.incarnations;
    if (lives as usize) < FEWEST_LIVES {
        let problem = format!("`--config {named}`: a duel of {lives} `incarnations` shows nothing");
        let help = format!("give it at least {FEWEST_LIVES} `incarnations`, better 16");
        return Err(ConfigError::flag(problem, &help));
    }
    Ok(())
}
