//! What a pool keeps of one bulk job for the next.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::{
    Wanted,
    board::Board,
    helping::Pace,
    participations::Participations,
    region::{Region, RegionId},
};
use crate::{Result, pool::Posted};

/// Those of all pools of this process.
static ALL: Mutex<Vec<Weak<Halls>>> = Mutex::new(Vec::new());

/// What a pool needs for bulk jobs.
#[derive(Debug, Default)]
pub(crate) struct Halls {
    pub(crate) wanted: Arc<Wanted>,
    /// Those of jobs that are done.
    vacant: Mutex<Vec<Hall>>,
}

/// The memory of one job's participants, used by one job after the other.
#[derive(Debug)]
pub(super) struct Hall {
    pub(super) board: Arc<Region>,
    participants: usize,
    /// Undo rooms, if a job has needed them.
    undo: Option<Arc<Region>>,
    pub(super) pace: Pace,
    /// That of the last job, which is often about the same as the next, until
    /// what it is about is dropped: it has that mapped.
    pub(super) last: Option<Box<Participations>>,
    /// Room for what is posted.
    pub(super) posted: Vec<Posted>,
}

/// Undo rooms that are larger together are not kept for the next job.
const KEPT_UNDO: usize = 64 << 20;

impl Halls {
    /// Those of a new pool.
    pub(crate) fn new() -> Arc<Self> {
        let halls = Arc::default();
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|known| known.strong_count() > 0);
        all.push(Arc::downgrade(&halls));
        halls
    }

    /// One for so many participants.
    pub(super) fn take(&self, participants: usize) -> Result<Hall> {
        let mut vacant = self.vacant.lock().unwrap_or_else(PoisonError::into_inner);
        let place = vacant.iter().position(|hall| hall.participants >= participants);
        if let Some(place) = place {
            return Ok(vacant.swap_remove(place));
        }
        drop(vacant);
        let board = Region::new(Board::size(participants))?;
        let (pace, posted) = (Pace::default(), Vec::new());
        Ok(Hall { board, participants, undo: None, pace, last: None, posted })
    }

    /// Back, when nobody participates any more in the `last` job. Its caller
    /// has what it is about still borrowed.
    pub(super) fn give_back(&self, mut hall: Hall, last: Box<Participations>) {
        if hall.undo.as_ref().is_some_and(|undo| undo.memory.len() > KEPT_UNDO) {
            hall.undo = None;
        } else {
            hall.last = Some(last);
        }
        self.vacant.lock().unwrap_or_else(PoisonError::into_inner).push(hall);
    }

    fn forget_jobs_about(&self, region: RegionId) {
        let mut vacant = self.vacant.lock().unwrap_or_else(PoisonError::into_inner);
        for hall in vacant.iter_mut() {
            hall.last.take_if(|last| last.is_about(region));
        }
    }
}

/// Has all pools let go of what they keep of jobs that were about this region,
/// which is no more. Those that are about another one at the moment keep
/// nothing of it.
pub(super) fn forget_jobs_about(region: RegionId) {
    let all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    let all: Vec<_> = all.iter().filter_map(Weak::upgrade).collect();
    // Not locked any more: whoever is the last to have a pool's drops regions.
    all.iter().for_each(|halls| halls.forget_jobs_about(region));
}

impl Hall {
    /// Rooms for a chunk of `stride` bytes for each participant.
    pub(super) fn undo(&mut self, stride: usize) -> Result<Arc<Region>> {
        let needed = self.participants.saturating_mul(stride);
        match &self.undo {
            Some(undo) if undo.memory.len() >= needed => Ok(Arc::clone(undo)),
            _ => {
                let undo = Region::new(needed)?;
                self.undo = Some(Arc::clone(&undo));
                Ok(undo)
            }
        }
    }
}
