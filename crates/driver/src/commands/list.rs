//! `driver list`: what there is to choose from.

use harness::{StartMethod, Workload};

use crate::{
    backends,
    config::{Config, SHIPPED},
    error::Error,
    outcome::End,
    printing,
};

/// Prints one line each, or more where the terminal is narrow.
///
/// # Errors
///
/// If standard output cannot be written.
pub(super) fn execute() -> Result<End, Error> {
    let backends = backends::ALL.iter().map(|entry| {
        let methods: Vec<&str> = entry.start_methods.iter().map(|method| method.name()).collect();
        let methods = match methods.is_empty() {
            true => String::new(),
            false => format!(" ({})", methods.join(", ")),
        };
        (entry.name, format!("{}{methods}", entry.description))
    });
    let methods = StartMethod::ALL.map(|method| (method.name(), method.description().to_owned()));
    let workloads =
        Workload::ALL.map(|workload| (workload.name(), workload.description().to_owned()));
    let configs = SHIPPED
        .iter()
        .map(|shipped| Ok((shipped.name, Config::shipped(shipped.name)?.question)))
        .collect::<Result<Vec<_>, Error>>()?;
    let text = [
        section("backends", backends),
        section("start methods", methods),
        section("workloads", workloads),
        section("configs", configs),
    ];
    printing::print(&text.join("\n")).map_err(Error::output)?;
    Ok(End::Complete)
}

fn section(title: &str, lines: impl IntoIterator<Item = (&'static str, String)>) -> String {
    let hanging = " ".repeat(18);
    let lines = lines.into_iter().map(|(name, what)| {
        let line = format!("  {name:<15} {what}");
        let options = textwrap::Options::new(printing::width()).subsequent_indent(&hanging);
        textwrap::fill(&line, options) + "\n"
    });
    format!("{title}\n{}", lines.collect::<String>())
}
