//! Where the participants of a bulk job meet: their claims, then their records.

use std::slice;

use super::{claims::Claims, record::Record};
use crate::SharedMemory;

/// The memory of a board.
///
/// Invariant: it is `size(participants)` bytes long, was all zeros at first,
/// and is used as what it is here only.
#[derive(Clone, Debug)]
pub(super) struct Board {
    memory: SharedMemory,
    participants: usize,
}

impl Board {
    /// Bytes of a board for so many participants.
    pub(super) const fn size(participants: usize) -> usize {
        participants * (size_of::<Claims>() + size_of::<Record>())
    }

    /// `memory` must be a board's; `None` if it is too small for one.
    pub(super) fn over(memory: SharedMemory, participants: usize) -> Option<Self> {
        let size = participants.checked_mul(Self::size(1))?;
        (memory.len() >= size).then_some(Self { memory, participants })
    }

    pub(super) fn claims(&self) -> &[Claims] {
        // SAFETY: the memory is long enough (`over`), page-aligned, and mapped
        // as long as `self`. It holds atomics only, for which any bytes are
        // valid, and which any process may access at any time.
        unsafe { slice::from_raw_parts(self.memory.base().cast().as_ptr(), self.participants) }
    }

    pub(super) fn records(&self) -> &[Record] {
        // Behind the claims of as many as the memory is for, not of those of this
        // job: what one job has left in a word is no other word of the next.
        let most = self.memory.len() / Self::size(1);
        let offset = most * size_of::<Claims>();
        // SAFETY: as above, since `most` is no less than the participants; the
        // size of claims is a multiple of the alignment of records, which is the
        // same.
        unsafe {
            let first = self.memory.base().add(offset).cast::<Record>();
            slice::from_raw_parts(first.as_ptr(), self.participants)
        }
    }

    /// Divides `chunks` among the participants, after a job, if there was one,
    /// that has ended well and all chunks of which were done.
    pub(super) fn deal(&self, chunks: u32) {
        for (index, claims) in self.claims().iter().enumerate() {
            claims.deal(self.share(chunks, index), self.share(chunks, index + 1));
        }
    }

    /// The first of the chunks that are dealt to a participant.
    pub(super) fn share(&self, chunks: u32, index: usize) -> u32 {
        (u64::from(chunks) * index as u64 / self.participants as u64) as u32
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Barrier;

    use super::{
        super::claims::{Terms, claim},
        *,
    };

    fn board(participants: usize) -> Board {
        Board::over(SharedMemory::new(Board::size(participants)).unwrap(), participants).unwrap()
    }

    /// What participant `me` gets until there is nothing left.
    fn claim_all(board: &Board, me: usize) -> Vec<u32> {
        let mut claimed = Vec::new();
        while let Some(mut lease) =
            claim(board.claims(), me, Terms::of(u32::MAX, board.claims().len()))
        {
            claimed.extend(std::iter::from_fn(|| lease.next()));
        }
        claimed
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs memory files")]
    fn participants_claim_every_chunk_exactly_once() {
        const CHUNKS: u32 = 100_000;
        let board = board(4);
        for round in 0..10 {
            board.deal(CHUNKS + round);
            let start = Barrier::new(4);
            let claimed: Vec<Vec<u32>> = std::thread::scope(|scope| {
                let participate = |me: usize| {
                    let (board, start) = (&board, &start);
                    move || {
                        start.wait();
                        claim_all(board, me)
                    }
                };
                let threads = [0, 1, 2, 3].map(|me| scope.spawn(participate(me)));
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            let mut all: Vec<u32> = claimed.concat();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..CHUNKS + round));
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs memory files")]
    fn one_participant_claims_what_is_meant_for_all() {
        let board = board(3);
        board.deal(10);
        let mut claimed = claim_all(&board, 1);
        assert_eq!(claimed[..3], [3, 4, 5], "its own come first");
        claimed.sort_unstable();
        assert!(claimed.into_iter().eq(0..10));
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs memory files")]
    fn words_lie_where_they_lay_however_many_participate_in_the_next_job() {
        let memory = SharedMemory::new(Board::size(4)).unwrap();
        let boards = [4, 2, 1].map(|most| Board::over(memory.clone(), most).unwrap());
        for board in &boards {
            assert!(std::ptr::eq(&board.claims()[0], &boards[0].claims()[0]));
            assert!(std::ptr::eq(&board.records()[0], &boards[0].records()[0]));
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs memory files")]
    fn memory_that_is_too_small_is_no_board() {
        let memory = SharedMemory::new(Board::size(2)).unwrap();
        assert!(Board::over(memory.clone(), 3).is_none());
        assert!(Board::over(memory, usize::MAX / 8).is_none());
    }
}
