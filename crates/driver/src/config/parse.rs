//! From TOML text to a [`Config`].

use std::{collections::BTreeMap, num::NonZeroUsize, time::Duration};

use harness::{StartMethod, Workload, record::ExperimentKind};
use toml::de::DeTable;

use super::{
    Config, ConfigError, Experiment, ExternalRunner, Limits, ValidityLimits, defaults,
    section::{Entry, Section, Text},
    suggest,
    values::{ByteSize, Until, WorkerCount, parse_count, parse_duration},
};
use crate::backends;

const KEYS: [&str; 13] = [
    "question",
    "time_budget",
    "seed",
    "deadline",
    "incarnations",
    "precision",
    "until",
    "max_rounds",
    "memory_share",
    "validity",
    "limits",
    "experiment",
    "runner",
];
pub(super) const EXPERIMENT_KEYS: [&str; 12] = [
    "name",
    "kind",
    "question",
    "share",
    "workloads",
    "backends",
    "start_methods",
    "workers",
    "pin",
    "tasks",
    "task_size",
    "sizes",
];
const VALIDITY_KEYS: [&str; 3] = ["max_steal", "max_others", "max_pressure"];
const RUNNER_KEYS: [&str; 3] = ["name", "command", "start_method"];

const QUESTION_HELP: &str = "say what is to be found out, e.g. question = \"Does rayon pay here?\"";

impl Config {
    /// Reads the `text` of `file`.
    ///
    /// # Errors
    ///
    /// If it is not TOML, or a key or a value is not allowed.
    pub(crate) fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        let source = Text { file, text };
        let root = DeTable::parse(text).map_err(|error| syntax_error(source, &error))?;
        let top = Section::new(source, "the config", 0..0, root.get_ref(), &KEYS)?;
        let sections = tables(&top, "runner", "[[runner]]", &RUNNER_KEYS)?;
        let runners = sections.iter().map(runner).collect::<Result<Vec<_>, _>>()?;
        let names: Vec<String> = runners.iter().map(|one| one.strategy().to_string()).collect();
        let help = "give one of them another `name` or `start_method`";
        refuse_duplicates("runners", &sections, &names, &["name"], help)?;
        let sections = tables(&top, "experiment", "[[experiment]]", &EXPERIMENT_KEYS)?;
        let limits = Limits::parse(&top)?;
        if sections.is_empty() && limits.is_none() {
            let help = "add at least one [[experiment]] with `kind` and `question`";
            return Err(ConfigError::in_file(file, "there is no experiment", help));
        }
        let experiments = sections
            .iter()
            .map(|section| experiment(section, &runners))
            .collect::<Result<Vec<_>, _>>()?;
        let names: Vec<String> = experiments.iter().map(|one| one.name.clone()).collect();
        let help = "give one of them another `name`";
        refuse_duplicates("experiments", &sections, &names, &["name", "kind"], help)?;
        Ok(Self {
            question: top.text("question", QUESTION_HELP)?,
            time_budget: or(&top, "time_budget", Duration::from_secs(75), |entry| {
                entry.parsed(parse_duration)
            })?,
            seed: or(&top, "seed", 1, |entry| entry.integer(0, i64::MAX as u64))?,
            deadline: or(&top, "deadline", Duration::from_secs(20), |entry| {
                entry.parsed(parse_duration)
            })?,
            incarnations: or(&top, "incarnations", 6, |entry| small(&entry, 100))?,
            precision: or(&top, "precision", 0.02, |entry| entry.number(0.0, 1.0))?,
            until: or(&top, "until", Until::Precise, |entry| {
                entry.one_of(&Until::ALL, Until::name)
            })?,
            max_rounds: or(&top, "max_rounds", 200, |entry| small(&entry, 1_000_000))?,
            memory_share: or(&top, "memory_share", 0.5, |entry| entry.number(0.01, 0.95))?,
            validity: validity(&top)?,
            limits,
            experiments,
            runners,
        })
    }
}

/// Refuses the second of two sections that would be one in the report, by the
/// first of `keys` that it has.
fn refuse_duplicates(
    what: &str,
    sections: &[Section<'_>],
    names: &[String],
    keys: &[&'static str],
    help: &str,
) -> Result<(), ConfigError> {
    for (i, (section, name)) in sections.iter().zip(names).enumerate() {
        if names[..i].contains(name)
            && let Some(entry) = keys.iter().find_map(|&key| section.get(key))
        {
            return Err(entry.error(format!("two {what} are called `{name}`"), help));
        }
    }
    Ok(())
}

fn experiment(
    section: &Section<'_>,
    runners: &[ExternalRunner],
) -> Result<Experiment, ConfigError> {
    let kinds = defaults::KINDS.map(ExperimentKind::name).join(", ");
    let kind = section
        .require("kind", &format!("allowed: {kinds}"))?
        .one_of(&defaults::KINDS, ExperimentKind::name)?;
    let workloads = or(section, "workloads", defaults::workloads(kind), |entry| {
        list(entry, |item| item.one_of(&Workload::ALL, Workload::name))
    })?;
    let payload = kind == ExperimentKind::Payload;
    refuse_the_other_axis(section, kind)?;
    if payload && workloads.contains(&Workload::SumOfSquares) {
        let entry = section.require("workloads", "")?;
        return Err(entry.error("sum-of-squares has no array", "allowed: square, cube"));
    }
    Ok(Experiment {
        name: or(section, "name", kind.name().to_owned(), |entry| name(&entry))?,
        kind,
        question: section.text("question", QUESTION_HELP)?,
        share: or(section, "share", 1.0, |entry| entry.number(0.001, 1000.0))?,
        backends: backend_names(section, kind, runners)?,
        start_methods: or(section, "start_methods", StartMethod::ALL.to_vec(), |entry| {
            list(entry, |item| item.one_of(&StartMethod::ALL, StartMethod::name))
        })?,
        workers: or(section, "workers", defaults::workers(kind), |entry| {
            list(entry, |item| item.parsed(str::parse::<WorkerCount>))
        })?,
        pin: or(section, "pin", false, |entry| entry.boolean())?,
        tasks: or(section, "tasks", defaults::tasks(kind), |entry| entry.parsed(parse_count))?,
        task_size: match section.get("task_size") {
            _ if payload => BTreeMap::new(),
            None => defaults::task_size(kind, &workloads),
            Some(entry) => task_size(entry, kind, &workloads)?,
        },
        sizes: match section.get("sizes") {
            _ if !payload => Vec::new(),
            None => defaults::sizes(),
            Some(entry) => list(entry, array_size)?,
        },
        workloads,
    })
}

/// Payload experiments have array sizes, all others task sizes.
fn refuse_the_other_axis(section: &Section<'_>, kind: ExperimentKind) -> Result<(), ConfigError> {
    let (other, right) = match kind {
        ExperimentKind::Payload => ("task_size", "sizes"),
        _ => ("sizes", "task_size"),
    };
    match section.get(other) {
        None => Ok(()),
        Some(entry) => Err(entry.error(
            format_args!("experiments of kind {} have no such axis", kind.name()),
            format_args!("use `{right}`"),
        )),
    }
}

/// `task_size = 1000`, `= [10, 100]`, or `= { square = 1000, cube = [10, 100] }`.
fn task_size(
    entry: Entry<'_>,
    kind: ExperimentKind,
    workloads: &[Workload],
) -> Result<BTreeMap<Workload, Vec<NonZeroUsize>>, ConfigError> {
    let counts = |entry| list(entry, |item| item.parsed(parse_count));
    if !entry.is_table() {
        let sizes = counts(entry)?;
        return Ok(workloads.iter().map(|&workload| (workload, sizes.clone())).collect());
    }
    let section = entry.section("task_size", &Workload::ALL.map(Workload::name))?;
    let mut sizes = defaults::task_size(kind, workloads);
    for &workload in workloads {
        if let Some(entry) = section.get(workload.name()) {
            sizes.insert(workload, counts(entry)?);
        }
    }
    Ok(sizes)
}

fn array_size(item: Entry<'_>) -> Result<ByteSize, ConfigError> {
    let size: ByteSize = item.parsed(str::parse)?;
    if size.0 == 0 || !size.0.is_multiple_of(8) {
        return Err(item.error("not a whole number of elements", "allowed: multiples of 8 bytes"));
    }
    Ok(size)
}

fn backend_names(
    section: &Section<'_>,
    kind: ExperimentKind,
    runners: &[ExternalRunner],
) -> Result<Vec<String>, ConfigError> {
    let known = known_backends(runners);
    let mut names = defaults::backends(kind);
    names.extend(runners.iter().map(|runner| runner.name.clone()));
    names.dedup();
    or(section, "backends", names, |entry| {
        list(entry, |item| {
            let name = item.string()?;
            if known.contains(&name) {
                return Ok(name.to_owned());
            }
            Err(item.error("unknown backend", suggest::among(name, known.iter().copied())))
        })
    })
}

/// Every backend that a config with these runners can name.
pub(super) fn known_backends(runners: &[ExternalRunner]) -> Vec<&str> {
    let built_in = backends::ALL.iter().map(|entry| entry.name);
    built_in.chain(runners.iter().map(|runner| runner.name.as_str())).collect()
}

fn runner(section: &Section<'_>) -> Result<ExternalRunner, ConfigError> {
    let entry = section.require("name", "the backend's name in tables")?;
    let name = name(&entry)?;
    if backends::find(&name).is_some() {
        return Err(entry.error("a built-in backend has this name", "choose another name"));
    }
    let help = "program and arguments, e.g. command = [\"python3\", \"./runner.py\"]";
    let command = section.require("command", help)?;
    Ok(ExternalRunner {
        name,
        command: list(command, |item| item.string().map(str::to_owned))?,
        start_method: match section.get("start_method") {
            None => None,
            Some(entry) => Some(entry.one_of(&StartMethod::ALL, StartMethod::name)?),
        },
    })
}

fn validity(top: &Section<'_>) -> Result<ValidityLimits, ConfigError> {
    let defaults = ValidityLimits::DEFAULT;
    or(top, "validity", defaults, |entry| {
        let section = entry.section("[validity]", &VALIDITY_KEYS)?;
        let share = |key, default| or(&section, key, default, |entry| entry.number(0.0, 1.0));
        Ok(ValidityLimits {
            max_steal: share("max_steal", defaults.max_steal)?,
            max_others: share("max_others", defaults.max_others)?,
            max_pressure: share("max_pressure", defaults.max_pressure)?,
        })
    })
}

/// Names are parts of block names, of file names and of command lines.
fn name(entry: &Entry<'_>) -> Result<String, ConfigError> {
    let name = entry.string()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || !name.chars().all(plain) {
        return Err(entry.error("not a plain name", "allowed: letters, digits, `-`, `_` and `.`"));
    }
    Ok(name.to_owned())
}

fn small(entry: &Entry<'_>, high: u32) -> Result<u32, ConfigError> {
    entry.integer(1, high.into()).map(|number| number as u32)
}

fn or<'a, T>(
    section: &Section<'a>,
    key: &'static str,
    default: T,
    parse: impl FnOnce(Entry<'a>) -> Result<T, ConfigError>,
) -> Result<T, ConfigError> {
    section.get(key).map_or(Ok(default), parse)
}

/// Every item of a list, each once, in the order of its first mention.
pub(super) fn list<'a, T: PartialEq>(
    entry: Entry<'a>,
    parse: impl Fn(Entry<'a>) -> Result<T, ConfigError>,
) -> Result<Vec<T>, ConfigError> {
    let mut values = Vec::new();
    for item in entry.items()? {
        let value = parse(item)?;
        if values.contains(&value) {
            return Err(item.error("named twice", "name each once"));
        }
        values.push(value);
    }
    Ok(values)
}

pub(super) fn tables<'a>(
    top: &Section<'a>,
    key: &'static str,
    name: &'static str,
    allowed: &[&str],
) -> Result<Vec<Section<'a>>, ConfigError> {
    let Some(entry) = top.get(key) else { return Ok(Vec::new()) };
    entry.items()?.iter().map(|item| item.section(name, allowed)).collect()
}

fn syntax_error(source: Text<'_>, error: &toml::de::Error) -> ConfigError {
    let line = source.line(error.span().map_or(0, |span| span.start));
    let quoted = source.text.lines().nth(line - 1).unwrap_or_default().trim();
    let problem = format!("not TOML: {} in `{quoted}`", error.message());
    let help = "see https://toml.io for the syntax and `bench-configs/README.md` for the keys";
    ConfigError::at(source.file, line, problem, help)
}
