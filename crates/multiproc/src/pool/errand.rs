//! Errands: what workers are asked for past their streams. The worker's side,
//! and what both sides say.

use std::{fmt, mem};

use super::{
    frame::{Failure, MAX_FAILURE, ReplyHeader, reply},
    function::{Argument, CallFn},
    status::Tag,
};
use crate::{TaskPanic, Token, bulk::Participant, codec, ring::SLOT_BYTES};

/// What a question begins with.
pub(super) mod ask {
    /// A token and an encoded argument follow.
    pub(in crate::pool) const CALL: u64 = 1;
    /// The number of a participant and an encoded ticket follow.
    pub(in crate::pool) const PARTICIPATE: u64 = 2;

    /// How the question whether number `me` will participate begins.
    pub(in crate::pool) fn participate(me: usize) -> [u8; 16] {
        bytemuck::must_cast([PARTICIPATE, me as u64])
    }
}

/// What an answer begins with; the rest follows.
pub(super) mod answer {
    /// The output follows.
    pub(in crate::pool) const DONE: u64 = 0;
    /// An encoded [`Failure`](super::Failure) follows.
    pub(in crate::pool) const FAILED: u64 = 1;
}

/// Bytes of an answer in front of what follows: its kind, and the length of
/// that. If that does not fit into the slot the answer has gone through the
/// stream, all of it, and nothing but this is in the slot.
pub(super) const ANSWER_HEADER: usize = 16;

/// What a worker needs to run errands.
#[derive(Default)]
pub(crate) struct Errands {
    /// The last function that was called: the next is most often the same.
    call: Option<(Token, CallFn)>,
    /// The last bulk job that it has participated in.
    participant: Option<Participant>,
    answer: Vec<u8>,
}

impl fmt::Debug for Errands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Errands").finish_non_exhaustive()
    }
}

impl Errands {
    /// Something is asked, perhaps the same as last time.
    pub(crate) fn prefetch(&self) {
        if let Some(participant) = &self.participant {
            participant.prefetch();
        }
    }

    /// Does what is asked.
    ///
    /// # Panics
    ///
    /// If the question makes no sense.
    pub(crate) fn run(&mut self, question: &[u8]) {
        let (kind, question) = split(question);
        self.answer.clear();
        // One large answer must not be paid for as long as the worker lives.
        self.answer.shrink_to(64 * SLOT_BYTES);
        self.answer.resize(ANSWER_HEADER, 0);
        let outcome = match kind {
            ask::CALL => self.call(question),
            ask::PARTICIPATE => self.participate(question),
            _ => panic!("an errand of unknown kind {kind}"),
        };
        let kind = match outcome {
            Ok(()) => answer::DONE,
            Err(failure) => {
                self.answer.truncate(ANSWER_HEADER);
                let text = postcard::to_stdvec(&failure.cut()).expect("texts can be encoded");
                debug_assert!(text.len() <= MAX_FAILURE);
                self.answer.extend_from_slice(&text);
                answer::FAILED
            }
        };
        let len = (self.answer.len() - ANSWER_HEADER) as u64;
        self.answer[..8].copy_from_slice(&kind.to_ne_bytes());
        self.answer[8..16].copy_from_slice(&len.to_ne_bytes());
    }

    /// What is to be answered.
    pub(crate) fn answer(&self) -> &[u8] {
        &self.answer
    }

    /// What goes through the stream if the answer to this errand does not fit
    /// into the slot, and what is in the slot then.
    pub(crate) fn take_large(&mut self, errand: u64) -> Option<([Vec<u8>; 2], Vec<u8>)> {
        if self.answer.len() <= SLOT_BYTES {
            return None;
        }
        let answer = mem::take(&mut self.answer);
        let header =
            ReplyHeader { kind: reply::ERRAND, tag: errand as Tag, len: answer.len() as u64 };
        let in_slot = answer[..ANSWER_HEADER].to_vec();
        Some(([bytemuck::bytes_of(&header).to_vec(), answer], in_slot))
    }

    /// Memory has come or gone.
    pub(crate) fn forget_memory(&mut self) {
        self.participant = None;
    }

    fn call(&mut self, question: &[u8]) -> Result<(), Failure> {
        let (token, argument) = question.split_at(size_of::<Token>());
        let token: Token = bytemuck::pod_read_unaligned(token);
        let function = match self.call {
            Some((known, function)) if known == token => function,
            _ => CallFn::from_token(token).expect("a function of this executable"),
        };
        self.call = Some((token, function));
        if let Some(large) = function.call(Argument::Encoded(argument), &mut self.answer)? {
            self.answer.extend_from_slice(large.bytes());
        }
        Ok(())
    }

    fn participate(&mut self, question: &[u8]) -> Result<(), Failure> {
        let (me, ticket) = split(question);
        let known =
            self.participant.take().and_then(|mut known| known.renew(me, ticket).then_some(known));
        let outcome = match known.map_or_else(|| Participant::admit(me, ticket), Ok) {
            Ok(participant) => {
                let participant = self.participant.insert(participant);
                TaskPanic::catch(|| participant.participate())?;
                Ok(())
            }
            Err(why) => Err(why),
        };
        // Nothing is said of what went well: a small job takes no longer than
        // to say so.
        if outcome.is_err() {
            codec::encode_plain_into::<Result<(), String>>(&outcome, &mut self.answer)
                .expect("texts can be encoded");
        }
        Ok(())
    }
}

/// Whether the answer whose beginning is in the slot is longer than that, and has
/// gone through the stream.
pub(super) fn is_in_stream(answer: &[u8]) -> bool {
    answer.get(size_of::<u64>()..ANSWER_HEADER).is_some_and(|len| {
        let most = (SLOT_BYTES - ANSWER_HEADER) as u64;
        bytemuck::pod_read_unaligned::<u64>(len) > most
    })
}

/// The number that bytes begin with, and the rest.
///
/// Panics if there are too few.
pub(super) fn split(bytes: &[u8]) -> (u64, &[u8]) {
    let (number, rest) = bytes.split_at(size_of::<u64>());
    (bytemuck::pod_read_unaligned(number), rest)
}
