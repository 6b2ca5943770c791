//! One block: incarnations of its runners, and rounds over all of them.

use std::time::{Duration, Instant};

use harness::{
    FailureKind,
    protocol::Phase,
    record::{
        BlockEndRecord, BlockRecord, DriverCost, Failure, Outcome, Record, RoundRecord, Sample,
        StopReason, Validity,
    },
};
use stats::{BalancedOrder, precision::Precision};

use super::{
    Bench, Stop,
    budget::{self, Costs, Left, Slice},
    cast::{Cast, Loss},
    history::History,
    precision,
    validity::Observer,
};
use crate::{client::Tally, environment, plan, plan::PlannedBlock};

/// Rounds between two looks at the intervals, which cost some milliseconds.
const ROUNDS_BETWEEN_INTERVALS: u32 = 4;

/// Measures a block until it is precise, its slice of the time is spent, or
/// it has all its rounds. At least one round is taken.
pub(super) fn measure(
    bench: &mut Bench<'_>,
    planned: &PlannedBlock,
    block_index: usize,
    length: Duration,
) -> Result<(), Stop> {
    let block = &planned.record;
    let history = History::of(bench.journal.records(), block);
    let mut run = BlockRun {
        block,
        block_index,
        order: BalancedOrder::new(
            block.configurations.len(),
            bench.config.seed ^ (block_index as u64) << 32,
        ),
        history,
        slice: Slice::starting_now(length),
        costs: Costs::default(),
        losses: Vec::new(),
        bench,
    };
    let reason = run.take_all_lives()?;
    run.record_losses_alone()?;
    let reached = run.precision();
    let precision_asked = Some(bench.config.precision);
    let end = BlockEndRecord { block: block.block.clone(), reason, precision_asked };
    bench.journal.append(&[Record::BlockEnd(end)])?;
    bench.journal.sync()?;
    bench.progress.leave(block, reason, reached);
    Ok(())
}

struct BlockRun<'a, 'b> {
    bench: &'a mut Bench<'b>,
    block: &'a BlockRecord,
    block_index: usize,
    order: BalancedOrder,
    history: History,
    slice: Slice,
    costs: Costs,
    /// Failures that no round has recorded yet.
    losses: Vec<Loss>,
}

/// On how many incarnations a block spends its time.
#[derive(Clone, Copy)]
struct LifePlan {
    /// So many are taken in any case: those of the config, as far as they fit.
    least: u32,
    /// So many are meant to be taken.
    lives: u32,
    /// When the present one makes room, counted from the beginning of the slice.
    ends: Duration,
    /// The same in rounds that count, of all incarnations.
    clean_rounds: u32,
}

/// One incarnation of everybody.
struct Life {
    /// Counts from 0 in this run of the driver.
    number: u32,
    /// The same over all runs of a resumed sweep.
    incarnation: u32,
    begun: Instant,
    cast: Cast,
    observer: Observer,
    /// When the last round, or the warm-up, was over.
    since: Instant,
}

fn cost(elapsed: Duration, tally: Tally) -> DriverCost {
    let ns = |duration: Duration| duration.as_nanos() as u64;
    DriverCost {
        elapsed_ns: ns(elapsed),
        at_work_ns: ns(tally.at_work),
        timed_ns: ns(tally.timed),
        timed_cpu_ns: ns(tally.timed_cpu),
    }
}

/// Why an incarnation had no more rounds.
enum LifeEnd {
    /// The block is done.
    Block(StopReason),
    /// It is the next incarnation's turn.
    NextLife,
}

impl BlockRun<'_, '_> {
    fn take_all_lives(&mut self) -> Result<StopReason, Stop> {
        if !self.history.begun {
            self.bench.journal.append(&[Record::Block(self.block.clone())])?;
            self.skip_what_does_not_fit();
            // Before anything is started: a sweep that is killed and resumed
            // must not try what does not fit.
            self.record_losses_alone()?;
        }
        let wanted = self.bench.config.incarnations;
        let mut plan =
            LifePlan { least: wanted, lives: wanted, ends: Duration::ZERO, clean_rounds: 0 };
        for life in 0.. {
            if self.live().next().is_none() {
                return Ok(StopReason::AllFailed);
            }
            plan.lives = life + self.split_what_is_left(life, plan);
            if plan.lives == life {
                return Ok(StopReason::TimeBudget);
            }
            plan.ends = self.slice.share_ends(plan.lives - life);
            plan.clean_rounds = self.share_of_rounds(plan.lives - life);
            match self.live_once(life, &mut plan)? {
                LifeEnd::Block(reason) => return Ok(reason),
                LifeEnd::NextLife if life + 1 >= plan.lives => return Ok(StopReason::TimeBudget),
                LifeEnd::NextLife => {}
            }
        }
        Ok(StopReason::TimeBudget)
    }

    /// How many lives there are to be now that `life` of them are over: more than are
    /// left of the least if that narrows the widest interval, and there is time.
    fn split_what_is_left(&self, life: u32, plan: LifePlan) -> u32 {
        let least = plan.least.saturating_sub(life);
        if life < budget::LIVES_BEFORE_SPLIT {
            return least;
        }
        let shares = self.precision().and_then(|p| precision::shares(&self.history, p.widest_at));
        let left = Left { time: self.slice.left(), rounds: self.rounds_left() };
        shares.map_or(least, |shares| budget::lives_left(left, self.costs, shares, least))
    }

    /// One incarnation: its runners are started, take their rounds and end.
    fn live_once(&mut self, number: u32, plan: &mut LifePlan) -> Result<LifeEnd, Stop> {
        let begun = Instant::now();
        let incarnation = self.history.next_incarnation;
        let saturating = self
            .block
            .configurations
            .iter()
            .any(|configuration| configuration.workers.get() >= self.block.available_cores);
        let observer = Observer::begin(self.bench.config.validity, saturating);
        let wanted: Vec<usize> = self.live().collect();
        let (cast, losses) = Cast::launch(
            self.bench,
            self.block,
            self.block_index,
            incarnation,
            wanted.into_iter(),
        )?;
        self.note(losses);
        let rounds_before = self.costs.rounds;
        let mut life = Life { number, incarnation, begun, cast, observer, since: begun };
        let end = match self.rounds(&mut life, plan) {
            Ok(end) => end,
            Err(stop) => {
                let records = life.cast.abandon().into_iter().map(Record::Incarnation);
                self.bench.journal.append(&records.collect::<Vec<_>>())?;
                return Err(stop);
            }
        };
        let (records, losses) = life.cast.retire()?;
        self.note(losses);
        let records: Vec<Record> = records.into_iter().map(Record::Incarnation).collect();
        self.bench.journal.append(&records)?;
        self.history.next_incarnation = incarnation + 1;
        self.costs.lives += 1;
        self.costs.set_up += begun.elapsed().saturating_sub(self.costs.rounds - rounds_before);
        Ok(end)
    }

    fn rounds(&mut self, life: &mut Life, plan: &mut LifePlan) -> Result<LifeEnd, Stop> {
        let losses = life.cast.warm_up(&self.order.round(self.history.next_round))?;
        self.note(losses);
        let set_up = life.begun.elapsed();
        life.cast.take_tally();
        life.since = Instant::now();
        for taken in 1.. {
            let round_begun = Instant::now();
            let clean_before = self.history.clean_rounds();
            self.round(life)?;
            let round = round_begun.elapsed();
            self.costs.rounds += round;
            self.costs.clean_rounds += self.history.clean_rounds() - clean_before;
            self.bench.progress.advance(self.slice.spent());
            if taken == 1 && life.number == 0 {
                plan.least = self.slice.incarnations(self.bench.config.incarnations, set_up, round);
                plan.lives = plan.least;
                plan.ends = self.slice.first_share_ends(plan.lives);
                plan.clean_rounds = self.share_of_rounds(plan.lives);
            }
            if let Some(end) = self.end_of_life(taken, life.number, *plan, round) {
                return Ok(end);
            }
        }
        Ok(LifeEnd::NextLife)
    }

    /// Samples everybody once, in the balanced order, and writes it down.
    fn round(&mut self, life: &mut Life) -> Result<(), Stop> {
        // A contaminated round is repeated: the order counts those that count.
        let order = self.order.round(self.history.clean_rounds());
        let mut samples = self.lost_samples();
        for index in order {
            if let Some(outcome) = life.cast.sample(index)? {
                if let Outcome::Failed(failure) = &outcome {
                    self.bench.progress.failed(&self.block.configurations[index], failure);
                }
                samples.push(Sample { configuration: index, outcome });
            }
        }
        let validity = life.observer.after_round(|| life.cast.trees());
        let now = Instant::now();
        let driver = cost(now - std::mem::replace(&mut life.since, now), life.cast.take_tally());
        self.write_round(life.incarnation, samples, validity, Some(driver))
    }

    fn write_round(
        &mut self,
        incarnation: u32,
        samples: Vec<Sample>,
        validity: Validity,
        driver: Option<DriverCost>,
    ) -> Result<(), Stop> {
        let round = self.history.next_round;
        let block = self.block.block.clone();
        let record = RoundRecord { block, round, incarnation, samples, validity, driver };
        self.history.add(&record, self.block.configurations.len());
        self.bench.progress.round(!record.validity.contaminated.is_empty());
        Ok(self.bench.journal.append(&[Record::Round(record)])?)
    }

    fn end_of_life(
        &self,
        taken: u32,
        life: u32,
        plan: LifePlan,
        round: Duration,
    ) -> Option<LifeEnd> {
        let config = self.bench.config;
        if self.live().next().is_none() {
            return Some(LifeEnd::Block(StopReason::AllFailed));
        }
        let clean = self.history.clean_rounds();
        if clean >= config.max_rounds {
            return Some(LifeEnd::Block(StopReason::MaxRounds));
        }
        if taken.is_multiple_of(ROUNDS_BETWEEN_INTERVALS) && self.is_precise() {
            // The luck of one incarnation is not precision: the others are
            // heard as well, if only briefly.
            return Some(if life + 1 >= plan.least {
                LifeEnd::Block(StopReason::Precise)
            } else {
                LifeEnd::NextLife
            });
        }
        let last = life + 1 >= plan.lives;
        let has_its_rounds = !last && clean >= plan.clean_rounds;
        let has_room = self.slice.has_room(plan.ends, round);
        (has_its_rounds || !has_room).then_some(LifeEnd::NextLife)
    }

    /// How many clean rounds there are when the next of `lives` incarnations has had
    /// as many as each of the others.
    fn share_of_rounds(&self, lives: u32) -> u32 {
        self.history.clean_rounds() + self.rounds_left().div_ceil(lives.max(1))
    }

    fn rounds_left(&self) -> u32 {
        self.bench.config.max_rounds.saturating_sub(self.history.clean_rounds())
    }

    fn is_precise(&self) -> bool {
        self.precision().is_some_and(|reached| reached.is_within(self.bench.config.precision))
    }

    fn precision(&self) -> Option<Precision> {
        let configurations = self.block.configurations.len();
        precision::reached(&self.history, configurations, self.bench.config.seed)
    }

    /// Configurations that have not failed.
    fn live(&self) -> impl Iterator<Item = usize> {
        let lost = |index: &usize| self.losses.iter().any(|(lost, _)| lost == index);
        (0..self.block.configurations.len())
            .filter(move |index| !self.history.failed.contains(index) && !lost(index))
    }

    fn skip_what_does_not_fit(&mut self) {
        let Some(available) = environment::available_memory() else { return };
        let limit = (available as f64 * self.bench.config.memory_share) as u64;
        let skipped = plan::beyond_memory(self.block, limit).into_iter().map(|(index, need)| {
            let mib = |bytes: u64| bytes >> 20;
            let message = format!(
                "not run: it needs {} MiB beside the others, and the block may use {} of {} MiB\nhelp: free memory, raise `memory_share` or choose a smaller size",
                mib(need), mib(limit), mib(available),
            );
            let failure = Failure { kind: FailureKind::Skipped, phase: Phase::Load, message };
            (index, failure)
        });
        let skipped: Vec<Loss> = skipped.collect();
        self.note(skipped);
    }

    fn note(&mut self, losses: Vec<Loss>) {
        for (index, failure) in &losses {
            self.bench.progress.failed(&self.block.configurations[*index], failure);
        }
        self.losses.extend(losses);
    }

    fn lost_samples(&mut self) -> Vec<Sample> {
        let losses = std::mem::take(&mut self.losses).into_iter();
        losses
            .map(|(configuration, failure)| Sample {
                configuration,
                outcome: Outcome::Failed(failure),
            })
            .collect()
    }

    /// A round of nothing but the failures that no other round tells.
    fn record_losses_alone(&mut self) -> Result<(), Stop> {
        let samples = self.lost_samples();
        if samples.is_empty() {
            return Ok(());
        }
        let incarnation = self.history.next_incarnation;
        self.write_round(incarnation, samples, Validity::default(), None)
    }
}
