//! Who executes which chunk: ranges that are leased from the front by their
//! owner and stolen from the back by thieves, and what is left of them when one
//! of those dies. See README.md.

use std::time::Duration;

use super::word::Word;
use crate::{
    atomic::{
        Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst},
        fence,
    },
    pool::IS_SUPERVISED,
    prefetching::prefetch_to_write,
};

/// One participant's part of the protocol. All bytes zero: nothing to do.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Claims {
    open: Open,
    own: Own,
}

/// What others change too.
#[derive(Debug)]
#[repr(C, align(128))]
struct Open {
    /// Unclaimed chunks: a [`pack`]ed range. Its front moves by its owner, its
    /// back by who has the grip.
    range: Word,
    /// 0, or 1 + the participant who may move the back.
    grip: Word,
    /// Not 0: somebody has nothing to do, and the owner is to give back what it
    /// has leased and not begun. A hint.
    wanted: Word,
}

/// What the owner alone changes, and whoever settles its affairs.
#[derive(Debug)]
#[repr(C, align(128))]
struct Own {
    /// 0, or 1 + the chunk that it executes or is about to claim: the latter if
    /// the range still begins with it. What lies between it and the range is
    /// leased and not begun.
    current: Word,
    /// Whom it is about to steal from.
    victim: Word,
    /// 0, or what it steals: a packed range.
    loot: Word,
}

/// The range of a thief until it has what it steals. Exhausted, and unlike
/// any other that is.
const NOTHING: u64 = pack(u32::MAX, u32::MAX);

/// How often a thief looks for a victim that nobody else has a grip on: some
/// 20 µs, far longer than anybody has one who is not displaced or dead.
const PATIENCE: u32 = if cfg!(loom) { 1 } else { 500 };

/// A lease is this part of what is left in the range, so there is more to steal
/// than to wait for, and the last leases are of one chunk.
const SHARE: u32 = if cfg!(loom) { 2 } else { 8 };

/// Most chunks in a lease. A claim costs some 10 ns, so of 64 chunks each pays
/// next to nothing.
const LONGEST_LEASE: u32 = 64;

const fn pack(lo: u32, hi: u32) -> u64 {
    ((hi as u64) << 32) | lo as u64
}

const fn unpack(word: u64) -> (u32, u32) {
    (word as u32, (word >> 32) as u32)
}

const fn is_exhausted(word: u64) -> bool {
    let (lo, hi) = unpack(word);
    lo >= hi
}

/// How an attempt to steal has ended.
enum Attempt {
    Stolen,
    /// Nobody has anything.
    Nothing,
    /// Somebody has, and somebody else has a grip on it.
    Busy,
    /// Somebody has leased what it has not begun, and was asked for it.
    Leased,
}

/// How long chunks are leased, and who waits for them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Most chunks in a lease.
    longest: u32,
    /// Whether a thief waits for what others have leased and not begun.
    waits: bool,
}

impl Terms {
    /// Of participants whom so many chunks were dealt to.
    pub(super) fn of(chunks: u32, participants: usize) -> Self {
        let share = chunks.div_ceil(participants as u32);
        Self { longest: (share / SHARE).clamp(1, LONGEST_LEASE), waits: !cfg!(loom) }
    }

    /// Chunks that are claimed one by one, since they have deadlines: somebody
    /// who waits for others' must not be taken for one who works.
    pub(super) fn one_by_one(self) -> Self {
        Self { longest: 1, ..self }
    }

    /// For the caller, who has others' deaths to look after.
    pub(super) fn of_the_caller(self) -> Self {
        Self { waits: false, ..self }
    }

    /// Whether anybody may have leased what it has not begun.
    fn allow_rests(self) -> bool {
        self.longest > 1
    }
}

/// Chunks that a participant has claimed, to begin one by one.
#[derive(Debug)]
pub(crate) struct Lease<'a> {
    claims: &'a Claims,
    next: u32,
    end: u32,
}

impl Lease<'_> {
    /// The next chunk; the one before is done. `None` if there is none left.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<u32> {
        if self.next == self.end {
            return None;
        }
        let chunk = self.next;
        // Release: after all that was done of the last chunk. For a dead owner
        // program order is what counts; the compiler must keep it.
        if IS_SUPERVISED {
            self.claims.own.current.store(u64::from(chunk) + 1, Release);
        }
        if self.claims.open.wanted.load(Relaxed) != 0 {
            self.give_rest_back();
        }
        self.next += 1;
        Some(chunk)
    }

    /// The chunk that was begun last.
    pub(super) fn current(&self) -> Option<u32> {
        self.next.checked_sub(1)
    }

    /// The chunk after the last of the lease.
    pub(super) fn end(&self) -> u32 {
        self.end
    }

    /// Makes what is behind the next chunk part of the range again, for others
    /// to steal.
    #[cold]
    fn give_rest_back(&mut self) {
        self.claims.open.wanted.store(0, Relaxed);
        let kept = self.next + 1;
        // If not, somebody has written over the range.
        if kept < self.end && self.claims.move_front_back(self.end, kept) {
            self.end = kept;
        }
    }
}

impl Claims {
    #[cfg(all(test, loom))]
    pub(super) fn new() -> Self {
        let word = || Word::new(0);
        Self {
            open: Open { range: word(), grip: word(), wanted: word() },
            own: Own { current: word(), victim: word(), loot: word() },
        }
    }

    /// Begins anew with the chunks of a range. Before anybody participates, and
    /// after nobody has or all who did have come to the end or were settled:
    /// what only the owner writes is 0 again then. It stays in the owner's
    /// cache, from where to fetch it takes as long as a small job.
    pub(super) fn deal(&self, lo: u32, hi: u32) {
        debug_assert_eq!((self.own.current.load(Relaxed), self.own.loot.load(Relaxed)), (0, 0));
        self.open.range.store(pack(lo, hi), Relaxed);
        self.open.grip.store(0, Relaxed);
        self.open.wanted.store(0, Relaxed);
    }

    /// Before its owner begins.
    pub(super) fn prefetch(&self) {
        prefetch_to_write(&self.open);
    }

    /// Whether none of its chunks is unclaimed.
    pub(super) fn is_exhausted(&self) -> bool {
        is_exhausted(self.open.range.load(Acquire))
    }

    /// Claims the first chunks of its own range. The one that it has executed
    /// last is done.
    #[inline]
    fn take(&self, longest: u32) -> Option<Lease<'_>> {
        // Acquire: who sees that the back was moved sees who had the grip.
        let mut word = self.open.range.load(Acquire);
        loop {
            let (lo, hi) = unpack(word);
            if lo >= hi {
                // Release: as in `Lease::next`.
                self.own.current.store(0, Release);
                return None;
            }
            self.own.current.store(u64::from(lo) + 1, Release);
            let end = lo + ((hi - lo) / SHARE).clamp(1, longest);
            // Release: after the store above. Acquire: as above, and who
            // claims a chunk that was given back sees it as it was restored.
            match self.open.range.compare_exchange(word, pack(end, hi), AcqRel, Acquire) {
                Ok(_) => return Some(Lease { claims: self, next: lo, end }),
                Err(now) => word = now,
            }
        }
    }

    /// Makes the range begin with `to` again if it begins with `from`: for the
    /// owner, or whoever settles its affairs.
    #[must_use]
    fn move_front_back(&self, from: u32, to: u32) -> bool {
        let mut word = self.open.range.load(Acquire);
        loop {
            let (lo, hi) = unpack(word);
            if lo != from {
                return false;
            }
            // Release: whoever claims them sees what was done to them.
            match self.open.range.compare_exchange(word, pack(to, hi), AcqRel, Acquire) {
                Ok(_) => return true,
                // A thief lives.
                Err(now) => word = now,
            }
        }
    }

    /// Gives a chunk back that [`settle`] has found in progress, the one before
    /// the range, to be claimed again. False if it is not, so that somebody has
    /// written over the range.
    #[must_use]
    pub(super) fn give_back(&self, chunk: u32) -> bool {
        self.move_front_back(chunk + 1, chunk)
    }

    /// Whether its owner has leased chunks that it has not begun; if so it is
    /// asked to give them back.
    fn ask(&self) -> bool {
        let current = self.own.current.load(Relaxed);
        let (front, _) = unpack(self.open.range.load(Relaxed));
        // What is not the front of a range that was leased from is no reason
        // to wait.
        let has_rest = current != 0 && front != u32::MAX && u64::from(front) > current;
        if has_rest {
            self.open.wanted.store(1, Relaxed);
        }
        has_rest
    }
}

/// Claims chunks for participant `me`: of its own range, or else of another's.
/// The one that it has executed last is done.
#[inline]
pub(super) fn claim(all: &[Claims], me: usize, terms: Terms) -> Option<Lease<'_>> {
    loop {
        let taken = all[me].take(terms.longest);
        if taken.is_some() || !steal(all, me, terms) {
            return taken;
        }
    }
}

/// Moves the back half of another's range to the exhausted one of `me`;
/// whether there was one.
#[cold]
fn steal(all: &[Claims], me: usize, terms: Terms) -> bool {
    let mut looks = 0;
    loop {
        match try_to_steal(all, me, terms) {
            Attempt::Stolen => return true,
            Attempt::Nothing => return false,
            Attempt::Busy | Attempt::Leased if looks < PATIENCE => std::hint::spin_loop(),
            Attempt::Leased if terms.waits => pause(looks - PATIENCE),
            Attempt::Busy | Attempt::Leased => return false,
        }
        looks += 1;
    }
}

/// Before a thief looks again for what somebody was asked for who does not
/// look up, because one chunk takes so long: a fraction of the time that it
/// has waited, as far as that goes.
fn pause(pauses: u32) {
    const SHORTEST: Duration = Duration::from_micros(10);
    const LONGEST: Duration = Duration::from_millis(1);
    std::thread::sleep((SHORTEST * pauses / 4).clamp(SHORTEST, LONGEST));
}

fn try_to_steal(all: &[Claims], me: usize, terms: Terms) -> Attempt {
    // Who has a grip on this range may have moved its back or not: a range that
    // replaced it would hide which. The fence pairs with that in `rob`: either
    // the grip is seen here, or there that the range is exhausted.
    fence(SeqCst);
    if all[me].open.grip.load(Acquire) != 0 {
        return Attempt::Busy;
    }
    let mut found = Attempt::Nothing;
    let victims = (me + 1..all.len()).chain(0..me);
    for victim in victims {
        let open = &all[victim].open;
        if is_exhausted(open.range.load(Relaxed)) {
            continue;
        }
        if open.grip.compare_exchange(0, me as u64 + 1, AcqRel, Relaxed).is_err() {
            found = Attempt::Busy;
            continue;
        }
        let is_stolen = rob(all, me, victim);
        // Pairs with the Acquire accesses to the grip.
        open.grip.store(0, Release);
        if is_stolen {
            return Attempt::Stolen;
        }
    }
    if !terms.allow_rests() {
        // What others lease lies in their caches, and is not looked at in vain.
        return found;
    }
    // All of them: each gives back what it can spare.
    let others = all.iter().enumerate().filter(|&(other, _)| other != me);
    let leased = others.filter(|(_, claims)| claims.ask()).count();
    match found {
        Attempt::Nothing if leased > 0 => Attempt::Leased,
        found => found,
    }
}

/// Steals from `victim`, whom `me` has a grip on. Everything is announced, so
/// that [`settle`] can tell how far it has come.
fn rob(all: &[Claims], me: usize, victim: usize) -> bool {
    let (thief, open) = (&all[me], &all[victim].open);
    thief.open.range.store(NOTHING, Relaxed);
    thief.own.victim.store(victim as u64, Relaxed);
    // After the grip was taken; pairs with the fence in `try_to_steal`.
    fence(SeqCst);
    let mut word = open.range.load(Acquire);
    let is_stolen = loop {
        let (lo, hi) = unpack(word);
        if lo >= hi {
            break false;
        }
        let middle = lo + (hi - lo) / 2;
        let loot = pack(middle, hi);
        // Release: after the two stores above, in this program's order.
        thief.own.loot.store(loot, Release);
        // Release: after the announcement; whoever sees this sees the grip.
        match open.range.compare_exchange(word, pack(lo, middle), AcqRel, Acquire) {
            Ok(_) => {
                thief.open.range.store(loot, Release);
                break true;
            }
            // The owner has moved the front.
            Err(now) => word = now,
        }
    };
    thief.own.loot.store(0, Release);
    is_stolen
}

/// Puts right what the dead participant has left, before another goes on in
/// its place; returns the chunk that was in progress. What was unclaimed is in
/// its range then. The others may live.
pub(super) fn settle(all: &[Claims], dead: usize) -> Option<u32> {
    let Claims { open, own } = &all[dead];
    let grip = dead as u64 + 1;
    let loot = own.loot.load(Acquire);
    if loot != 0 {
        // Nobody else has moved the victim's back since, and its owner has not
        // replaced the range: the grip is still there.
        let victim = all.get(own.victim.load(Relaxed) as usize);
        let was_taken = victim.is_some_and(|victim| {
            let back = unpack(victim.open.range.load(Acquire)).1;
            victim.open.grip.load(Relaxed) == grip && back == unpack(loot).0
        });
        if was_taken && open.range.load(Relaxed) == NOTHING {
            open.range.store(loot, Release);
        }
        own.loot.store(0, Relaxed);
    }
    for other in all {
        // Whoever else has it keeps it.
        let _ = other.open.grip.compare_exchange(grip, 0, AcqRel, Relaxed);
    }
    let current = own.current.load(Relaxed);
    own.current.store(0, Relaxed);
    let current = u32::try_from(current.checked_sub(1)?).ok()?;
    // It is the range's first if it was not claimed, and before that if it
    // was: the owner alone moves the front. What it had leased with it was not
    // begun.
    let front = unpack(open.range.load(Acquire)).0;
    let is_claimed = front > current && front != u32::MAX;
    (is_claimed && all[dead].move_front_back(front, current + 1)).then_some(current)
}
