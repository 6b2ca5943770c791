//! What the command lines of the examples have in common.

use multiproc::StartMethod;

/// A number above 0.
pub(crate) fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number.is_finite() => Ok(number),
        _ => Err("it must be a number above 0".to_owned()),
    }
}

/// The one that was asked for, or all; `fork` first, since the process may
/// have more threads afterwards.
pub(crate) fn methods(wanted: Option<StartMethod>) -> Vec<StartMethod> {
    let all = [StartMethod::Fork, StartMethod::ForkServer, StartMethod::Spawn];
    wanted.map_or_else(|| all.to_vec(), |one| vec![one])
}
