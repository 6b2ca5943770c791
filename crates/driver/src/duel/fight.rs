//! The lives and rounds of a duel.

use std::time::{Duration, Instant};

use harness::record::BlockRecord;
use stats::BalancedOrder;

use super::{
    Build, Cell, Rounds, Side, Terms,
    bout::{Loss, Pair},
    judge::{Judge, Judged},
};
use crate::{
    config::Config,
    interrupt::{Interrupt, Interrupted},
    measure::{resources::Census, validity::Observer},
    plan::{PlannedBlock, memory},
};

/// What a duel needs besides its cells.
pub(crate) struct Ring<'a> {
    /// Base, then head.
    pub(crate) builds: [&'a Build; 2],
    pub(crate) config: &'a Config,
    pub(crate) terms: &'a Terms,
    pub(crate) interrupt: &'a Interrupt,
}

/// Has both builds take turns at every cell of `blocks`, block after block, and
/// judges them. The time that a block did not need is saved, not given to others.
///
/// # Errors
///
/// If the user interrupts.
pub(crate) fn fight(ring: &Ring<'_>, blocks: &[PlannedBlock]) -> Result<Vec<Judged>, Interrupted> {
    let total: f64 = blocks.iter().map(|block| block.weight).sum();
    let cells = blocks.iter().map(|block| block.record.configurations.len()).sum();
    let judge = Judge::new(ring.terms, cells);
    let mut observer = Observer::begin(ring.config.validity);
    let mut judged = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        let time = ring.terms.time.mul_f64((block.weight / total).clamp(0.0, 1.0));
        judged.extend(fight_over(ring, &judge, &mut observer, block, (index as u64, time))?);
    }
    Ok(judged)
}

/// The cells of one block, all of them alive at once, until they are settled or
/// have had their lives.
fn fight_over(
    ring: &Ring<'_>,
    judge: &Judge<'_>,
    observer: &mut Observer,
    block: &PlannedBlock,
    (index, time): (u64, Duration),
) -> Result<Vec<Judged>, Interrupted> {
    let record = &block.record;
    let cell = |configuration: &harness::Configuration| Cell {
        job: record.job,
        configuration: configuration.clone(),
        lives: Vec::new(),
        failure: None,
    };
    let mut cells: Vec<Cell> = record.configurations.iter().map(cell).collect();
    // Both builds of everything are alive at once.
    for (index, failure) in memory::without_room(record, 2, ring.config.memory_share) {
        cells[index].failure = Some((None, failure));
    }
    let begun = Instant::now();
    let mut round = 0;
    for life in 0..ring.terms.lives {
        let until = begun + time.mul_f64(f64::from(life + 1) / f64::from(ring.terms.lives));
        let seed = ring.terms.seed ^ (index << 48) ^ (u64::from(life) << 32);
        let mut live = Life { ring, observer, block: record, cells: &mut cells, life, seed, round };
        live.take_place(until)?;
        round = live.round;
        if ring.terms.halfway() == Some(life + 1) {
            match judge.halfway(cells) {
                Ok(settled) => return Ok(settled),
                Err(open) => cells = open,
            }
        }
    }
    Ok(judge.at_the_end(cells))
}

/// One life of all runners of a block.
struct Life<'a> {
    ring: &'a Ring<'a>,
    observer: &'a mut Observer,
    block: &'a BlockRecord,
    cells: &'a mut [Cell],
    life: u32,
    seed: u64,
    /// Of the block, counted over its lives.
    round: u32,
}

impl Life<'_> {
    fn take_place(&mut self, until: Instant) -> Result<(), Interrupted> {
        let mut pairs = self.start()?;
        self.cells.iter_mut().for_each(|cell| cell.lives.push(Rounds::default()));
        self.observer.rounds_begin(self.block);
        // At least one round, whatever the time.
        loop {
            let values = self.take_round(&mut pairs)?;
            let trees = || Census::take().tree(pairs.iter().flatten().flat_map(Pair::pids));
            let is_clean = self.observer.after_round(trees).contaminated.is_empty();
            self.note(&values, is_clean);
            self.round += 1;
            if Instant::now() >= until || pairs.iter().all(Option::is_none) {
                break;
            }
        }
        let trees = Census::take().tree(pairs.iter().flatten().flat_map(Pair::pids));
        self.observer.rounds_end(&trees, || pairs.into_iter().flatten().for_each(Pair::end));
        Ok(())
    }

    /// Runners for every cell that has not failed. Which build's come first is
    /// the other way round in every second life.
    fn start(&mut self) -> Result<Vec<Option<Pair>>, Interrupted> {
        let mut order = Side::BOTH;
        if self.life % 2 == 1 {
            order.reverse();
        }
        let config = self.ring.config;
        let mut pairs = Vec::new();
        for (index, cell) in self.cells.iter_mut().enumerate() {
            if cell.failure.is_some() {
                pairs.push(None);
                continue;
            }
            let what = (&cell.configuration, cell.job, self.block.placement);
            let patience = (config.deadline, self.ring.interrupt);
            let seed = self.seed ^ index as u64;
            let started = Pair::start(self.ring.builds, what, order, patience, seed);
            pairs.push(unless_failed(cell, started)?);
        }
        Ok(pairs)
    }

    /// A bout of every cell, in a balanced order: what it says, by cell.
    fn take_round(&self, pairs: &mut [Option<Pair>]) -> Result<Vec<Bout>, Interrupted> {
        let order = BalancedOrder::new(pairs.len(), self.seed).round(self.round);
        let mut bouts = Vec::new();
        for index in order {
            let Some(pair) = &mut pairs[index] else { continue };
            let first = Side::BOTH[(self.round as usize + index) % 2];
            let outcome = match pair.bout(first) {
                Ok(value) => Ok(value),
                Err(Loss::Interrupted) => return Err(Interrupted),
                Err(Loss::Failed(side, failure)) => {
                    pairs[index] = None;
                    Err((side, failure))
                }
            };
            bouts.push((index, outcome));
        }
        Ok(bouts)
    }

    fn note(&mut self, bouts: &[Bout], is_clean: bool) {
        for (index, outcome) in bouts {
            let cell = &mut self.cells[*index];
            let life = cell.lives.last_mut().expect("one was begun");
            match outcome {
                Err((side, failure)) => cell.failure = Some((Some(*side), failure.clone())),
                Ok(value) if is_clean => life.clean.push(*value),
                Ok(value) => life.disturbed.push(*value),
            }
        }
    }
}

/// A cell and what came of its bout.
type Bout = (usize, Result<f64, (Side, harness::record::Failure)>);

/// The pair; `None` if one of the two has failed, which the cell is told.
fn unless_failed(cell: &mut Cell, pair: Result<Pair, Loss>) -> Result<Option<Pair>, Interrupted> {
    match pair {
        Ok(pair) => Ok(Some(pair)),
        Err(Loss::Interrupted) => Err(Interrupted),
        Err(Loss::Failed(side, failure)) => {
            cell.failure = Some((Some(side), failure));
            Ok(None)
        }
    }
}
