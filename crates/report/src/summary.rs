//! `summary.csv`: one row for each configuration of each block.

use stats::Estimate;

use crate::model::{Block, Cell, Experiment, Outcome, Report};

/// The columns of `summary.csv`: name and meaning. A figure that could not be
/// had is an empty field; `outcome` says why.
pub const COLUMNS: [(&str, &str); 39] = [
    ("experiment", "name in the config"),
    ("kind", "speed-up, granularity, start-methods, payload or table"),
    ("block", "id of the block in the records"),
    ("workload", "what tasks computed"),
    ("tasks", "tasks in a job"),
    ("task_size", "elements in a task"),
    ("payload_bytes", "bytes of the job's buffer"),
    ("backend", "who computed"),
    ("start_method", "how a process pool's workers were started"),
    ("workers", "everything that executed tasks"),
    ("available_cores", "cores that could be used"),
    ("oversubscribed", "true if there were more workers than cores"),
    ("outcome", "measured, not measured, or the kind of failure"),
    ("failed_phase", "phase in which it failed"),
    ("failure_message", "what went wrong"),
    ("rounds_used", "rounds that the figures are estimated from"),
    ("rounds_contaminated", "measured rounds during which the machine was busy otherwise"),
    ("rounds_failed", "rounds without a time"),
    ("contaminated_used", "true if contaminated rounds are used for want of clean ones"),
    ("time_ns", "median of what is compared: the run, or the whole cold cycle"),
    ("time_lower_quartile_ns", "a quarter of the samples are below"),
    ("time_upper_quartile_ns", "three quarters of the samples are below"),
    ("speed_up", "serial time / this time within the same round, median"),
    ("speed_up_low", "lower end of its 95 % interval"),
    ("speed_up_high", "upper end of its 95 % interval"),
    ("relative_speed_up", "same strategy with one worker / this, median"),
    ("efficiency", "speed-up / workers"),
    ("granularity_ns", "run x workers / tasks"),
    ("tasks_per_s", "tasks executed a second"),
    ("elements_per_s", "elements processed a second"),
    ("payload_bytes_per_s", "bytes of the buffer / time of the run"),
    ("start_up_ns", "until every worker answered, median"),
    ("first_task_ns", "first task on the fresh pool, median"),
    ("run_ns", "the job, median"),
    ("shutdown_ns", "until every worker was gone, median"),
    ("cold_ns", "sum of the phases, median"),
    ("cpu_s_per_run", "processor seconds of the process tree a run"),
    ("switches_per_run", "context switches of the process tree a run"),
    ("peak_pss_bytes", "largest sum of proportional set sizes"),
];

/// Writes the summary as RFC 4180 asks: a header, CRLF, quotes where needed.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let mut write = |row: Vec<String>| {
        writer.write_record(&row).expect("every row has a field a column, and memory takes it all");
    };
    write(COLUMNS.map(|(name, _)| name.to_owned()).to_vec());
    for experiment in &report.experiments {
        for block in &experiment.blocks {
            for cell in &block.cells {
                write(row(experiment, block, cell));
            }
        }
    }
    let bytes = writer.into_inner().expect("memory takes it all");
    String::from_utf8(bytes).expect("every field is a string")
}

fn row(experiment: &Experiment, block: &Block, cell: &Cell) -> Vec<String> {
    let mut row = identity(experiment, block, cell);
    row.extend(outcome(cell));
    row.extend(figures(cell));
    row
}

fn identity(experiment: &Experiment, block: &Block, cell: &Cell) -> Vec<String> {
    let strategy = &cell.configuration.strategy;
    vec![
        experiment.name.clone(),
        experiment.kind.name().to_owned(),
        block.block.clone(),
        block.job.workload.to_string(),
        block.job.tasks.to_string(),
        block.job.task_size.to_string(),
        block.payload_bytes.to_string(),
        strategy.backend.clone(),
        optional(strategy.start_method),
        cell.workers().to_string(),
        block.available_cores.to_string(),
        cell.oversubscribed.to_string(),
    ]
}

fn outcome(cell: &Cell) -> Vec<String> {
    let failure = match &cell.outcome {
        Outcome::Failed { failure } => Some(failure),
        Outcome::Measured { .. } | Outcome::NotMeasured => None,
    };
    vec![
        cell.why_not().unwrap_or_else(|| "measured".to_owned()),
        optional(failure.map(|failure| failure.phase)),
        optional(failure.map(|failure| &failure.message)),
        cell.counts.used.to_string(),
        cell.counts.contaminated.to_string(),
        cell.counts.failed.to_string(),
        cell.counts.contaminated_used.to_string(),
    ]
}

fn figures(cell: &Cell) -> Vec<String> {
    let figures = cell.figures();
    let value = |estimate: Option<Estimate>| estimate.map(|estimate| estimate.value);
    let speed_up = figures.and_then(|f| f.speed_up);
    let phases = figures.map(|f| f.phases).unwrap_or_default();
    let resources = figures.and_then(|f| f.resources);
    let switches = resources.map(|r| r.voluntary_switches_per_run + r.involuntary_switches_per_run);
    let numbers = [
        figures.map(|f| f.time_ns.median),
        figures.map(|f| f.time_ns.lower_quartile),
        figures.map(|f| f.time_ns.upper_quartile),
        value(speed_up),
        speed_up.and_then(|e| e.low),
        speed_up.and_then(|e| e.high),
        value(figures.and_then(|f| f.relative_speed_up)),
        value(figures.and_then(|f| f.efficiency)),
        figures.and_then(|f| f.granularity_ns),
        figures.map(|f| f.tasks_per_s),
        figures.map(|f| f.elements_per_s),
        figures.map(|f| f.payload_bytes_per_s),
        value(phases.start_up_ns),
        value(phases.first_task_ns),
        value(phases.run_ns),
        value(phases.shutdown_ns),
        value(phases.cold_ns),
        resources.map(|r| r.cpu_s_per_run),
        switches,
        resources.map(|r| r.peak_pss_bytes as f64),
    ];
    numbers.map(optional).to_vec()
}

fn optional(field: Option<impl ToString>) -> String {
    field.map(|field| field.to_string()).unwrap_or_default()
}
