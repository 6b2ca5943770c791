//! The runners of one incarnation of a block: all alive at once, each asleep
//! between its turns.

use harness::{
    Job,
    record::{BlockRecord, Failure, IncarnationRecord, Outcome, Resources},
};

use super::{
    Bench, Stop,
    resources::{Census, Tree, difference},
    sample::{self, Nonces},
};
use crate::client::{Runner, Tally, Trouble, launch};

/// One runner and what is known of its life so far.
struct Player {
    runner: Runner,
    nonces: Nonces,
    record: IncarnationRecord,
    /// What it had used when the rounds began.
    before: Resources,
    runs: u64,
}

/// A configuration that has just failed.
pub(super) type Loss = (usize, Failure);

/// The runners, by configuration.
pub(super) struct Cast {
    job: Job,
    cold: bool,
    players: Vec<Option<Player>>,
    /// Records of runners that are gone.
    ended: Vec<IncarnationRecord>,
    /// What they were at work on that nobody has asked for.
    of_ended: Tally,
}

impl Cast {
    /// Starts a process for each of `wanted`, all at once since nothing is
    /// timed yet, and waits for their greetings.
    pub(super) fn launch(
        bench: &Bench<'_>,
        block: &BlockRecord,
        block_index: usize,
        incarnation: u32,
        wanted: impl Iterator<Item = usize>,
    ) -> Result<(Self, Vec<Loss>), Stop> {
        let players = block.configurations.iter().map(|_| None).collect();
        let cold = block.kind.is_cold();
        let (ended, of_ended) = (Vec::new(), Tally::default());
        let mut cast = Self { job: block.job, cold, players, ended, of_ended };
        let mut losses = Vec::new();
        for index in wanted {
            let configuration = &block.configurations[index];
            match launch::launch(configuration, block.placement, &bench.config.runners) {
                Ok(process) => {
                    let deadline = bench.config.deadline;
                    let interrupt = bench.interrupt.clone();
                    let placement = block.placement;
                    let runner =
                        Runner::new(process, configuration, placement, deadline, interrupt);
                    let who = [block_index as u64, incarnation.into(), index as u64];
                    let nonces = Nonces::new(bench.config.seed, who);
                    let record = unlived(block, index, incarnation);
                    let before = Resources::default();
                    cast.players[index] = Some(Player { runner, nonces, record, before, runs: 0 });
                }
                Err(trouble) => losses.push((index, failure(trouble)?)),
            }
        }
        for index in 0..cast.players.len() {
            cast.attempt(index, &mut losses, |player, _| player.runner.greet())?;
        }
        Ok((cast, losses))
    }

    /// Starts every pool, times its first task, loads the job and runs it once
    /// untimed; then looks at what everybody has used so far. Where samples are
    /// cold cycles it is one cycle that does not count: it starts what belongs
    /// to the process and outlives the pool, such as a fork server.
    pub(super) fn warm_up(&mut self, order: &[usize]) -> Result<Vec<Loss>, Stop> {
        let mut losses = Vec::new();
        let warm_up = if self.cold { Player::warm_up_cold } else { Player::warm_up };
        for &index in order {
            self.attempt(index, &mut losses, warm_up)?;
        }
        let census = Census::take();
        for player in self.players.iter_mut().flatten() {
            let used = player.used(&census);
            player.before = Resources {
                peak_pss_bytes: used.peak_pss_bytes.max(player.before.peak_pss_bytes),
                processes: used.processes.max(player.before.processes),
                ..used
            };
        }
        Ok(losses)
    }

    /// Samples one configuration; `None` if it is not in the cast.
    pub(super) fn sample(&mut self, index: usize) -> Result<Option<Outcome>, Stop> {
        let mut losses = Vec::new();
        let cold = self.cold;
        let outcome = self.attempt(index, &mut losses, |player, job| player.sample(job, cold))?;
        let lost = losses.pop().map(|(_, failure)| Outcome::Failed(failure));
        Ok(outcome.or(lost))
    }

    /// What all runners were at work on since this was asked last.
    pub(super) fn take_tally(&mut self) -> Tally {
        let mut sum = std::mem::take(&mut self.of_ended);
        for player in self.players.iter_mut().flatten() {
            sum += player.runner.take_tally();
        }
        sum
    }

    /// Every process of every runner.
    pub(super) fn trees(&self) -> Tree {
        Census::take().tree(self.players.iter().flatten().map(|player| player.runner.pid()))
    }

    /// Ends every runner in order and returns the records of all lives.
    pub(super) fn retire(mut self) -> Result<(Vec<IncarnationRecord>, Vec<Loss>), Stop> {
        let census = Census::take();
        for player in self.players.iter_mut().flatten() {
            player.record.resources = Some(player.resources(&census));
        }
        let mut losses = Vec::new();
        if !self.cold {
            for index in 0..self.players.len() {
                self.attempt(index, &mut losses, |player, _| {
                    player.record.shutdown_ns = Some(player.runner.stop()?);
                    Ok(())
                })?;
            }
        }
        let mut players: Vec<Player> = self.players.iter_mut().filter_map(Option::take).collect();
        for player in &mut players {
            player.runner.quit();
        }
        for player in players {
            player.runner.ended();
            self.ended.push(player.record);
        }
        self.ended.sort_by_key(|record| record.configuration);
        Ok((self.ended, losses))
    }

    /// Kills every runner and returns what is known of their lives.
    pub(super) fn abandon(self) -> Vec<IncarnationRecord> {
        let alive = self.players.into_iter().flatten().map(|player| player.record);
        let mut records: Vec<_> = self.ended.into_iter().chain(alive).collect();
        records.sort_by_key(|record| record.configuration);
        records
    }

    /// Lets `act` deal with the player of configuration `index`, if there is
    /// one. If it fails, the player leaves the cast.
    fn attempt<T>(
        &mut self,
        index: usize,
        losses: &mut Vec<Loss>,
        act: impl FnOnce(&mut Player, Job) -> Result<T, Trouble>,
    ) -> Result<Option<T>, Stop> {
        let Some(player) = &mut self.players[index] else { return Ok(None) };
        match act(player, self.job) {
            Ok(value) => Ok(Some(value)),
            Err(trouble) => {
                losses.push((index, failure(trouble)?));
                self.of_ended += player.runner.take_tally();
                let gone = self.players[index].take();
                self.ended.extend(gone.map(|player| player.record));
                Ok(None)
            }
        }
    }
}

impl Player {
    fn warm_up(&mut self, job: Job) -> Result<(), Trouble> {
        self.record.start_up_ns = Some(self.runner.start()?);
        let first = sample::first_task(&mut self.runner, job, &mut self.nonces)?;
        self.record.first_task_ns = Some(first);
        self.runner.load(job)?;
        self.record.input = self.runner.input();
        sample::checked_run(&mut self.runner, job, &mut self.nonces).map(drop)
    }

    /// The pool exists only within the cycle, so memory and processes are
    /// looked at there.
    fn warm_up_cold(&mut self, job: Job) -> Result<(), Trouble> {
        let pid = self.runner.pid();
        let before = &mut self.before;
        let look = || {
            let tree = Census::take().tree([pid]);
            before.peak_pss_bytes = tree.pss_bytes();
            before.processes = tree.used().processes;
        };
        sample::cold(&mut self.runner, job, &mut self.nonces, look)?;
        self.record.input = self.runner.input();
        Ok(())
    }

    fn sample(&mut self, job: Job, cold: bool) -> Result<Outcome, Trouble> {
        let outcome = if cold {
            sample::cold(&mut self.runner, job, &mut self.nonces, || ())?
        } else {
            let wall_ns = sample::checked_run(&mut self.runner, job, &mut self.nonces)?;
            Outcome::Warm { wall_ns }
        };
        self.runs += 1;
        Ok(outcome)
    }

    fn used(&self, census: &Census) -> Resources {
        let tree = census.tree([self.runner.pid()]);
        Resources { peak_pss_bytes: tree.pss_bytes(), ..tree.used() }
    }

    fn resources(&self, census: &Census) -> Resources {
        let after = Resources { runs: self.runs, ..self.used(census) };
        difference(&self.before, &after)
    }
}

/// The record of a life that has not begun.
fn unlived(block: &BlockRecord, configuration: usize, incarnation: u32) -> IncarnationRecord {
    IncarnationRecord {
        block: block.block.clone(),
        configuration,
        incarnation,
        input: None,
        start_up_ns: None,
        first_task_ns: None,
        shutdown_ns: None,
        resources: None,
    }
}

fn failure(trouble: Trouble) -> Result<Failure, Stop> {
    match trouble {
        Trouble::Failed(failure) => Ok(failure),
        Trouble::Interrupted => Err(Stop::Interrupted),
    }
}
