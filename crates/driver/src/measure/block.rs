//! One block: incarnations of its runners, and rounds over all of them.

use std::time::{Duration, Instant};

use harness::record::{
    BlockEndRecord, BlockRecord, DriverCost, Outcome, Record, RoundRecord, Sample, StopReason,
    Validity,
};
use stats::{BalancedOrder, precision::Precision};

use super::{
    Bench, Stop,
    budget::{self, Costs, Left, Slice},
    cast::{Cast, Loss},
    decision,
    history::History,
    precision,
};
use crate::{
    client::Tally,
    config::{Config, values::Until},
    plan::memory,
};

/// Rounds between two looks at the intervals, which cost some milliseconds.
const ROUNDS_BETWEEN_INTERVALS: u32 = 4;

/// A block, and how far it is.
pub(super) struct Standing<'a> {
    block: &'a BlockRecord,
    index: usize,
    order: BalancedOrder,
    history: History,
    /// Of this run of the driver.
    costs: Costs,
}

/// One of a block's turns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visit {
    /// Its time.
    pub(super) slice: Duration,
    /// Counts from 1.
    pub(super) pass: u32,
    pub(super) passes: u32,
}

impl<'a> Standing<'a> {
    /// As the records say.
    pub(super) fn of(bench: &Bench<'_>, block: &'a BlockRecord, index: usize) -> Self {
        let seed = bench.config.seed ^ (index as u64) << 32;
        Self {
            block,
            index,
            order: BalancedOrder::new(block.configurations.len(), seed),
            history: History::of(bench.journal.records(), block),
            costs: Costs::default(),
        }
    }

    /// Of the block, in the plan.
    pub(super) const fn index(&self) -> usize {
        self.index
    }

    pub(super) const fn is_complete(&self) -> bool {
        self.history.complete
    }

    /// What its rounds have taken in runs of the driver before this one.
    pub(super) const fn spent(&self) -> Duration {
        self.history.spent
    }

    /// Whether an incarnation is worth starting for so long; not known before the
    /// first.
    pub(super) fn affords_life(&self, slice: Duration) -> bool {
        self.costs.lives == 0 || slice >= self.costs.least_life()
    }
}

impl Visit {
    pub(super) const fn is_last(self) -> bool {
        self.pass == self.passes
    }

    /// Of a number that is the whole sweep's, how much is due by the end of this visit.
    const fn due(self, whole: u32) -> u32 {
        (whole as u64 * self.pass as u64).div_ceil(self.passes as u64) as u32
    }
}

/// Measures a block until it is precise, its slice of the time is spent, or
/// it has all the rounds that are due. At least one round is taken, unless there
/// are some and no time. The last visit ends the block, and so do the failure of
/// all and a decision, if no more is asked for. Whether it had enough before its time was over is returned.
pub(super) fn measure(
    bench: &mut Bench<'_>,
    standing: &mut Standing<'_>,
    visit: Visit,
) -> Result<bool, Stop> {
    bench.progress.enter(standing.index, standing.block);
    let lives_due = visit.due(bench.config.incarnations);
    let mut run = BlockRun {
        slice: Slice::starting_now(visit.slice),
        lives_due: lives_due.saturating_sub(standing.history.next_incarnation).max(1),
        most_rounds: visit.due(bench.config.max_rounds),
        losses: Vec::new(),
        standing,
        bench,
    };
    let mut reason = run.take_all_lives()?;
    if let Some(losses) = run.round_of_losses() {
        run.bench.journal.append(&[Record::Round(losses)])?;
    }
    let reached = run.precision();
    if reason == StopReason::TimeBudget && run.is_precise() {
        reason = StopReason::Precise;
    } else if !visit.is_last() && run.is_decided(visit.passes - 1) {
        reason = StopReason::Decided;
    }
    bench.progress.leave();
    let is_over = matches!(reason, StopReason::AllFailed | StopReason::Decided);
    if visit.is_last() || is_over {
        let block = standing.block.block.clone();
        let precision_asked = Some(bench.config.precision);
        let end = BlockEndRecord { block, reason, precision_asked };
        bench.journal.append(&[Record::BlockEnd(end)])?;
        bench.journal.sync()?;
        standing.history.complete = true;
        bench.progress.end(standing.block, reason, reached);
    }
    Ok(matches!(reason, StopReason::Precise | StopReason::MaxRounds))
}

struct BlockRun<'a, 'b, 'c> {
    bench: &'a mut Bench<'b>,
    standing: &'a mut Standing<'c>,
    slice: Slice,
    /// So many incarnations are to be taken, as far as they fit.
    lives_due: u32,
    /// No more rounds than so many, those of other visits included.
    most_rounds: u32,
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
    /// Counts from 0 in this visit.
    number: u32,
    /// The same over all runs of a resumed sweep.
    incarnation: u32,
    begun: Instant,
    cast: Cast,
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

impl BlockRun<'_, '_, '_> {
    fn take_all_lives(&mut self) -> Result<StopReason, Stop> {
        if !self.standing.history.begun {
            self.announce()?;
        }
        let least = self.lives_due;
        let mut plan = LifePlan { least, lives: least, ends: Duration::ZERO, clean_rounds: 0 };
        if !self.standing.affords_life(self.slice.left()) {
            return Ok(StopReason::TimeBudget);
        }
        for life in 0.. {
            if self.live().next().is_none() {
                return Ok(StopReason::AllFailed);
            }
            if self.rounds_left() == 0 {
                return Ok(StopReason::MaxRounds);
            }
            plan.lives = life + self.split_what_is_left(life, plan);
            if plan.lives == life {
                return Ok(StopReason::TimeBudget);
            }
            plan.ends = self.slice.share_ends(plan.lives - life);
            plan.clean_rounds = self.share_of_rounds(plan.lives - life);
            match self.live_once(life, &mut plan)? {
                LifeEnd::Block(reason) => return Ok(reason),
                LifeEnd::NextLife if life + 1 >= plan.least && self.is_precise() => {
                    return Ok(StopReason::Precise);
                }
                LifeEnd::NextLife if life + 1 >= plan.lives => return Ok(StopReason::TimeBudget),
                LifeEnd::NextLife => {}
            }
        }
        Ok(StopReason::TimeBudget)
    }

    /// Once a block, and in one write with what does not fit: neither a further visit
    /// nor a sweep that is killed and resumed may decide that anew, when there may be
    /// less room.
    fn announce(&mut self) -> Result<(), Stop> {
        let share = self.bench.config.memory_share;
        self.note(memory::without_room(self.standing.block, 1, share));
        let mut records = vec![Record::Block(self.standing.block.clone())];
        records.extend(self.round_of_losses().map(Record::Round));
        self.bench.journal.append(&records)?;
        self.standing.history.begun = true;
        Ok(())
    }

    /// How many lives there are to be now that `life` of them are over: more than are
    /// left of the least if that narrows the widest interval, and there is time.
    fn split_what_is_left(&self, life: u32, plan: LifePlan) -> u32 {
        let least = plan.least.saturating_sub(life);
        if self.standing.costs.lives < budget::LIVES_BEFORE_SPLIT {
            return least;
        }
        let shares =
            self.precision().and_then(|p| precision::shares(&self.standing.history, p.widest_at));
        let left = Left { time: self.slice.left(), rounds: self.rounds_left() };
        shares.map_or(least, |shares| budget::lives_left(left, self.standing.costs, shares, least))
    }

    /// One incarnation: its runners are started, take their rounds and end.
    fn live_once(&mut self, number: u32, plan: &mut LifePlan) -> Result<LifeEnd, Stop> {
        let begun = Instant::now();
        let incarnation = self.standing.history.next_incarnation;
        let wanted: Vec<usize> = self.live().collect();
        let (cast, losses) = Cast::launch(
            self.bench,
            self.standing.block,
            self.standing.index,
            incarnation,
            wanted.into_iter(),
        )?;
        self.note(losses);
        let mut life = Life { number, incarnation, begun, cast, since: begun };
        let end = match self.rounds(&mut life, plan) {
            Ok(end) => end,
            Err(stop) => {
                let records = life.cast.abandon().into_iter().map(Record::Incarnation);
                // Where a round could not be written nothing else is to be either.
                if matches!(stop, Stop::Interrupted) {
                    self.bench.journal.append(&records.collect::<Vec<_>>())?;
                }
                return Err(stop);
            }
        };
        let ending = Instant::now();
        let trees = life.cast.trees();
        let retired = self.bench.observer.rounds_end(&trees, || life.cast.retire());
        let (records, losses) = retired?;
        self.note(losses);
        let records: Vec<Record> = records.into_iter().map(Record::Incarnation).collect();
        self.bench.journal.append(&records)?;
        self.standing.history.next_incarnation = incarnation + 1;
        self.standing.costs.lives += 1;
        self.standing.costs.set_up += ending.elapsed();
        Ok(end)
    }

    fn rounds(&mut self, life: &mut Life, plan: &mut LifePlan) -> Result<LifeEnd, Stop> {
        let losses =
            life.cast.warm_up(&self.standing.order.round(self.standing.history.next_round))?;
        self.note(losses);
        let set_up = life.begun.elapsed();
        self.standing.costs.set_up += set_up;
        life.cast.take_tally();
        self.bench.observer.rounds_begin(self.standing.block);
        life.since = Instant::now();
        for taken in 1.. {
            let round_begun = Instant::now();
            let clean_before = self.standing.history.clean_rounds();
            self.round(life)?;
            let round = round_begun.elapsed();
            self.standing.costs.rounds += round;
            self.standing.costs.taken += 1;
            self.standing.costs.clean_rounds += self.standing.history.clean_rounds() - clean_before;
            if taken == 1 && life.number == 0 {
                plan.least = self.slice.incarnations(self.lives_due, set_up, round);
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
        let order = self.standing.order.round(self.standing.history.next_round);
        let mut samples = self.lost_samples();
        for index in order {
            if let Some(outcome) = life.cast.sample(index)? {
                if let Outcome::Failed(failure) = &outcome {
                    self.bench.progress.failed(&self.standing.block.configurations[index], failure);
                }
                samples.push(Sample { configuration: index, outcome });
            }
        }
        let validity = self.bench.observer.after_round(|| life.cast.trees());
        let now = Instant::now();
        let driver = cost(now - std::mem::replace(&mut life.since, now), life.cast.take_tally());
        let record = self.next_round(life.incarnation, samples, validity, Some(driver));
        Ok(self.bench.journal.append(&[Record::Round(record)])?)
    }

    /// A round that is part of the history and is to be written.
    fn next_round(
        &mut self,
        incarnation: u32,
        samples: Vec<Sample>,
        validity: Validity,
        driver: Option<DriverCost>,
    ) -> RoundRecord {
        let round = self.standing.history.next_round;
        let block = self.standing.block.block.clone();
        let record = RoundRecord { block, round, incarnation, samples, validity, driver };
        self.standing.history.add(&record, self.standing.block.configurations.len());
        self.bench.progress.round(!record.validity.contaminated.is_empty());
        record
    }

    fn end_of_life(
        &self,
        taken: u32,
        life: u32,
        plan: LifePlan,
        round: Duration,
    ) -> Option<LifeEnd> {
        if self.live().next().is_none() {
            return Some(LifeEnd::Block(StopReason::AllFailed));
        }
        let clean = self.standing.history.clean_rounds();
        if clean >= self.most_rounds {
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
        self.standing.history.clean_rounds() + self.rounds_left().div_ceil(lives.max(1))
    }

    fn rounds_left(&self) -> u32 {
        self.most_rounds.saturating_sub(self.standing.history.clean_rounds())
    }

    fn is_precise(&self) -> bool {
        self.precision().is_some_and(|reached| reached.is_within(self.bench.config.precision))
    }

    /// Whether this block's decision is all that is asked, and one of so many `looks`
    /// shows it.
    fn is_decided(&self, looks: u32) -> bool {
        let Config { until, seed, .. } = self.bench.config;
        let (history, block) = (&self.standing.history, self.standing.block);
        *until == Until::Decided && decision::is_settled(history, block, looks, *seed)
    }

    fn precision(&self) -> Option<Precision> {
        let configurations = self.standing.block.configurations.len();
        precision::reached(&self.standing.history, configurations, self.bench.config.seed)
    }

    /// Configurations that have not failed.
    fn live(&self) -> impl Iterator<Item = usize> {
        let lost = |index: &usize| self.losses.iter().any(|(lost, _)| lost == index);
        (0..self.standing.block.configurations.len())
            .filter(move |index| !self.standing.history.failed.contains(index) && !lost(index))
    }

    fn note(&mut self, losses: Vec<Loss>) {
        for (index, failure) in &losses {
            self.bench.progress.failed(&self.standing.block.configurations[*index], failure);
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

    /// A round of nothing but the failures that no other round tells, if there are any,
    /// under the number of the life that follows.
    fn round_of_losses(&mut self) -> Option<RoundRecord> {
        let samples = self.lost_samples();
        if samples.is_empty() {
            return None;
        }
        let incarnation = self.standing.history.next_incarnation;
        Some(self.next_round(incarnation, samples, Validity::default(), None))
    }
}
