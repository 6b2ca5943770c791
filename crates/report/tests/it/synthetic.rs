//! Made-up sweeps of all nine strategies, with known costs, noise, failures
//! and contaminated rounds; the same seed gives the same sweep.

use std::num::NonZeroUsize;

use harness::{
    Configuration, FailureKind, Input, Job, Placement, StartMethod, Strategy, Workload,
    environment::Environment,
    protocol::Phase,
    record::{
        BlockEndRecord, BlockRecord, DriverCost, ExperimentKind, Failure, IncarnationRecord,
        Outcome, Record, Resources, RoundRecord, Sample, StopReason, SweepRecord, Validity,
    },
};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use report::SweepData;

/// Cores of the made-up machine.
pub(crate) const CORES: usize = 2;

/// A sweep in the making.
pub(crate) struct Synthetic {
    rng: Pcg64Mcg,
    records: Vec<Record>,
    questions: Vec<(String, String)>,
    /// Rounds of each block.
    pub(crate) rounds: u32,
    /// Lives of the runners in each block.
    pub(crate) incarnations: u32,
    /// Where the workers of the blocks ran that are added from now on.
    pub(crate) placement: Placement,
    /// Share of rounds that are contaminated.
    pub(crate) contaminated: f64,
    /// Configurations with much luck and bad luck, on the whole quicker.
    pub(crate) unsteady: Vec<Configuration>,
    /// Experiment, block and configuration whose every sample fails, and how.
    pub(crate) failures: Vec<(String, Configuration, FailureKind)>,
}

/// A sweep like the default one: all experiments, a few failures.
pub(crate) fn whole_sweep(seed: u64) -> SweepData {
    let mut sweep = Synthetic::new(seed);
    sweep.failures = vec![
        ("speed-up/square".to_owned(), configuration("threads", 4), FailureKind::WorkerDied),
        (
            "payload/square/268435456".to_owned(),
            configuration("pipe-pool/spawn", 2),
            FailureKind::Skipped,
        ),
        (
            "start-methods/2".to_owned(),
            configuration("pipe-pool/forkserver", 2),
            FailureKind::DeadlinePassed,
        ),
    ];
    sweep.speed_up();
    sweep.granularity();
    sweep.start_methods();
    sweep.payload();
    sweep.table();
    sweep.finish()
}

/// The nine strategies by the names that tables show.
pub(crate) const STRATEGIES: [&str; 9] = [
    "serial",
    "threads",
    "rayon",
    "pipe-pool/fork",
    "pipe-pool/forkserver",
    "pipe-pool/spawn",
    "shm-pool/fork",
    "shm-pool/forkserver",
    "shm-pool/spawn",
];

/// `name` as tables show it, with `workers`.
pub(crate) fn configuration(name: &str, workers: usize) -> Configuration {
    let (backend, start_method) = match name.split_once('/') {
        Some((backend, method)) => (backend, Some(method.parse::<StartMethod>().unwrap())),
        None => (name, None),
    };
    let strategy = Strategy { backend: backend.to_owned(), start_method };
    Configuration { strategy, workers: NonZeroUsize::new(workers).unwrap() }
}

/// As the strategies of these names tell.
fn input(configuration: &Configuration) -> Option<Input> {
    Some(match &*configuration.strategy.backend {
        "pipe-pool" => Input::CopiedIn,
        "shm-pool" => Input::BornShared,
        _ => Input::InProcess,
    })
}

/// Serial, and every other strategy with each of `worker_counts`.
pub(crate) fn configurations(worker_counts: &[usize]) -> Vec<Configuration> {
    let mut all = vec![Configuration::serial()];
    for name in &STRATEGIES[1..] {
        all.extend(worker_counts.iter().map(|&workers| configuration(name, workers)));
    }
    all
}

impl Synthetic {
    /// An empty sweep of 24 rounds in 3 lives a block.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            rng: Pcg64Mcg::seed_from_u64(seed),
            records: vec![Record::Sweep(SweepRecord { version: 1, seed })],
            questions: Vec::new(),
            rounds: 24,
            incarnations: 3,
            placement: Placement::Free,
            contaminated: 0.08,
            failures: Vec::new(),
            unsteady: Vec::new(),
        }
    }

    /// Adds the speed-up experiment: a block a workload.
    pub(crate) fn speed_up(&mut self) {
        self.ask("speed-up", "How much faster is each strategy as workers are added?");
        for (workload, task_size) in [
            (Workload::SumOfSquares, 4_000_000),
            (Workload::Square, 16_384),
            (Workload::Cube, 16_384),
        ] {
            let job = Job { workload, tasks: 64, task_size };
            self.block("speed-up", &workload.to_string(), job, &configurations(&[1, 2, 4]));
        }
    }

    /// Adds the granularity experiment: a block a task size.
    pub(crate) fn granularity(&mut self) {
        self.ask("granularity", "How small may a task be?");
        for task_size in [10, 30, 100, 300, 1_000, 3_000, 10_000, 100_000, 1_000_000] {
            let job = Job { workload: Workload::SumOfSquares, tasks: 2_000, task_size };
            let configurations = configurations(&[CORES]);
            self.block("granularity", &task_size.to_string(), job, &configurations);
        }
    }

    /// Adds the start-methods experiment: a block a number of workers.
    pub(crate) fn start_methods(&mut self) {
        self.ask("start-methods", "What does it cost to start a pool and to end it?");
        for workers in [1, 2, 4] {
            let job = Job { workload: Workload::SumOfSquares, tasks: 64, task_size: 10_000 };
            let all: Vec<Configuration> =
                STRATEGIES[1..].iter().map(|name| configuration(name, workers)).collect();
            self.block("start-methods", &workers.to_string(), job, &all);
        }
    }

    /// Adds the payload experiment: a block a workload and size.
    pub(crate) fn payload(&mut self) {
        self.ask("payload", "How fast does data pass through each strategy?");
        for workload in [Workload::Square, Workload::Cube] {
            for bytes in [1 << 10, 1 << 15, 1 << 20, 1 << 24, 1 << 28] {
                let tasks = 16;
                let job = Job { workload, tasks, task_size: bytes / 8 / tasks };
                let name = format!("{workload}/{bytes}");
                self.block("payload", &name, job, &configurations(&[CORES]));
            }
        }
    }

    /// Adds the classic table: four tasks, single against a pool of four.
    pub(crate) fn table(&mut self) {
        self.ask("table", "What does the classic table show?");
        let job = Job { workload: Workload::SumOfSquares, tasks: 4, task_size: 1_000_000 };
        self.block("table", "4", job, &configurations(&[4]));
    }

    /// Everything added so far, as a sweep.
    pub(crate) fn finish(self) -> SweepData {
        let is_block = |record: &&Record| matches!(record, Record::Block(_));
        SweepData {
            planned_blocks: self.records.iter().filter(is_block).count(),
            environment: environment(),
            config_toml: "# <made up> & \"quoted\"\ntime_budget = \"75s\"\n".to_owned(),
            questions: self.questions,
            records: self.records,
        }
    }

    fn ask(&mut self, experiment: &str, question: &str) {
        self.questions.push((experiment.to_owned(), question.to_owned()));
    }

    /// Adds one block named after its experiment, which is also its kind.
    pub(crate) fn block(&mut self, experiment: &str, name: &str, job: Job, all: &[Configuration]) {
        let kind = kind(experiment);
        let block = format!("{experiment}/{name}");
        self.records.push(Record::Block(BlockRecord {
            block: block.clone(),
            experiment: experiment.to_owned(),
            kind,
            job,
            configurations: all.to_vec(),
            available_cores: CORES,
            placement: self.placement,
        }));
        let mut luck = vec![1.0; all.len()];
        for round in 0..self.rounds {
            let incarnation = round * self.incarnations / self.rounds;
            if round == 0 || incarnation != (round - 1) * self.incarnations / self.rounds {
                luck = all.iter().map(|configuration| self.luck(configuration)).collect();
                self.lives(&block, kind, incarnation, all);
            }
            self.round(&block, kind, job, round, incarnation, all, &luck);
        }
        let reason = StopReason::TimeBudget;
        let precision_asked = Some(0.02);
        self.records.push(Record::BlockEnd(BlockEndRecord { block, reason, precision_asked }));
    }

    fn luck(&mut self, configuration: &Configuration) -> f64 {
        let luck = self.rng.random::<f64>();
        if self.unsteady.contains(configuration) { 0.2 + 1.6 * luck } else { 1.0 + 0.02 * luck }
    }

    fn lives(
        &mut self,
        block: &str,
        kind: ExperimentKind,
        incarnation: u32,
        all: &[Configuration],
    ) {
        for (place, configuration) in all.iter().enumerate() {
            let [start_up, first, shutdown] = cycle_ns(configuration);
            let warm = |ns: f64| (!kind.is_cold()).then_some(ns as u64);
            self.records.push(Record::Incarnation(IncarnationRecord {
                block: block.to_owned(),
                configuration: place,
                incarnation,
                input: input(configuration),
                start_up_ns: warm(start_up),
                first_task_ns: warm(first),
                shutdown_ns: warm(shutdown),
                resources: (!kind.is_cold()).then(|| Resources {
                    runs: 8,
                    cpu_ns: 90_000_000,
                    voluntary_switches: 21 * place as u64,
                    involuntary_switches: 3,
                    minor_faults: 900,
                    major_faults: 0,
                    peak_pss_bytes: 3_000_000 + 400_000 * place as u64,
                    processes: 1 + configuration.workers.get() as u64,
                }),
            }));
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a round is made of all of these")]
    fn round(
        &mut self,
        block: &str,
        kind: ExperimentKind,
        job: Job,
        round: u32,
        incarnation: u32,
        all: &[Configuration],
        luck: &[f64],
    ) {
        let contaminated = self.rng.random::<f64>() < self.contaminated;
        let drift = if contaminated { 1.6 } else { 1.0 + 0.05 * self.rng.random::<f64>() };
        let samples = (0..all.len()).map(|place| {
            let noise = drift * luck[place] * (1.0 + 0.03 * self.rng.random::<f64>());
            let outcome = self.outcome(block, kind, job, &all[place], noise);
            Sample { configuration: place, outcome }
        });
        let samples = samples.collect();
        let reasons = if contaminated { vec!["steal above 2 %".to_owned()] } else { Vec::new() };
        let validity = Validity { steal: 0.0, others: 0.01, contaminated: reasons };
        let block = block.to_owned();
        self.records.push(Record::Round(RoundRecord {
            block,
            round,
            incarnation,
            samples,
            validity,
            driver: Some(DriverCost {
                elapsed_ns: 1_000_000,
                at_work_ns: 970_000,
                timed_ns: 800_000,
                timed_cpu_ns: 2_000,
            }),
        }));
    }

    fn outcome(
        &self,
        block: &str,
        kind: ExperimentKind,
        job: Job,
        configuration: &Configuration,
        noise: f64,
    ) -> Outcome {
        let failure = self.failures.iter().find(|(b, c, _)| b == block && c == configuration);
        if let Some(&(_, _, kind)) = failure {
            return Outcome::Failed(Failure {
                kind,
                phase: Phase::Run,
                message: format!("{kind}: <made up> & \"quoted\", with a comma\nhelp: none"),
            });
        }
        let wall_ns = (run_ns(configuration, job) * noise) as u64;
        if !kind.is_cold() {
            return Outcome::Warm { wall_ns };
        }
        let [start_up_ns, first_task_ns, shutdown_ns] =
            cycle_ns(configuration).map(|ns| (ns * noise) as u64);
        Outcome::Cold { start_up_ns, first_task_ns, wall_ns, shutdown_ns }
    }
}

fn kind(experiment: &str) -> ExperimentKind {
    let kinds = [
        ExperimentKind::SpeedUp,
        ExperimentKind::Granularity,
        ExperimentKind::StartMethods,
        ExperimentKind::Payload,
        ExperimentKind::Table,
    ];
    kinds.into_iter().find(|kind| kind.name() == experiment).unwrap()
}

/// Nanoseconds that the job takes on a quiet machine: work shared by the
/// workers that have a core, a cost a job and a cost a task.
pub(crate) fn run_ns(configuration: &Configuration, job: Job) -> f64 {
    let per_element = if job.workload == Workload::SumOfSquares { 0.0625 } else { 0.2 };
    let work = job.elements() as f64 * per_element;
    let (per_job, per_task, per_byte) = match configuration.strategy.backend.as_str() {
        "serial" => (40.0, 1.5, 0.0),
        "threads" => (9_000.0, 60.0, 0.0),
        "rayon" => (17_000.0, 12.0, 0.0),
        "pipe-pool" => (45_000.0, 110.0, 0.6),
        _ => (6_000.0, 3.5, 0.0),
    };
    let workers = configuration.workers.get().min(CORES) as f64;
    let copied = job.payload_bytes() as f64 * per_byte;
    per_job + job.tasks as f64 * per_task / workers + work / workers + copied
}

/// Start-up, first task and shutdown on a quiet machine.
fn cycle_ns(configuration: &Configuration) -> [f64; 3] {
    let workers = configuration.workers.get() as f64;
    let each = match configuration.strategy.start_method {
        None if configuration.strategy.is_serial() => return [50.0, 100.0, 50.0],
        None => 40_000.0,
        Some(StartMethod::Fork) => 110_000.0,
        Some(StartMethod::ForkServer) => 180_000.0,
        Some(StartMethod::Spawn) => 800_000.0,
    };
    [60_000.0 + each * workers, 42_000.0, 70_000.0 + 20_000.0 * workers]
}

fn environment() -> Environment {
    Environment {
        started_unix_s: 1_795_230_245,
        version: "0.1.0".to_owned(),
        commit: Some("0123abc-dirty".to_owned()),
        profile: "dev".to_owned(),
        opt_level: "3".to_owned(),
        rustc: "rustc 1.95.0".to_owned(),
        target: "x86_64-unknown-linux-gnu".to_owned(),
        instruction_set: "V4".to_owned(),
        os: Some("Made-up Linux <12>".to_owned()),
        kernel: Some("6.18.0".to_owned()),
        cpu: Some("Imaginary CPU & Sons 9000".to_owned()),
        host_cores: 2,
        available_cores: CORES,
        virtualization: Some("kvm".to_owned()),
        memory_bytes: 8 << 30,
        memory_available_bytes: 6 << 30,
        load_average_1m: 0.42,
        ..Environment::default()
    }
}
