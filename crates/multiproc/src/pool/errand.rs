//! Errands: what workers are asked for past their streams. The worker's side,
//! and what both sides say.

use std::fmt;

use super::{
    frame::{Failure, MAX_FAILURE},
    function::{Argument, CallFn},
};
use crate::{TaskPanic, Token, bulk::Participant, ring::SLOT_BYTES};

/// What a question begins with.
pub(super) mod ask {
    /// A token and an encoded argument follow.
    pub(in crate::pool) const CALL: u64 = 1;
    /// An encoded ticket follows.
    pub(in crate::pool) const PARTICIPATE: u64 = 2;
    /// A position follows in the answer that did not fit.
    pub(in crate::pool) const GO_ON: u64 = 3;
}

/// What an answer begins with; the rest follows.
pub(super) mod answer {
    /// The output follows.
    pub(in crate::pool) const DONE: u64 = 0;
    /// An encoded [`Failure`](super::Failure) follows.
    pub(in crate::pool) const FAILED: u64 = 1;
}

/// Bytes of an answer in front of what follows: its kind, and the length of
/// that, of which there may be more than fits.
pub(super) const ANSWER_HEADER: usize = 16;

/// What a worker needs to run errands.
#[derive(Default)]
pub(crate) struct Errands {
    /// The last function that was called: the next is most often the same.
    call: Option<(Token, CallFn)>,
    /// The last bulk job that it has participated in, and its ticket.
    participant: Option<(Vec<u8>, Participant)>,
    answer: Vec<u8>,
}

impl fmt::Debug for Errands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Errands").finish_non_exhaustive()
    }
}

impl Errands {
    /// Does what is asked; what is to be answered now.
    ///
    /// # Panics
    ///
    /// If the question makes no sense.
    pub(crate) fn run(&mut self, question: &[u8]) -> &[u8] {
        let (kind, question) = split(question);
        if kind == ask::GO_ON {
            let position = (split(question).0 as usize).min(self.answer.len());
            let end = self.answer.len().min(position + SLOT_BYTES);
            return &self.answer[position..end];
        }
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
        &self.answer[..self.answer.len().min(SLOT_BYTES)]
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

    fn participate(&mut self, ticket: &[u8]) -> Result<(), Failure> {
        let is_known = self.participant.as_ref().is_some_and(|(known, _)| known == ticket);
        if !is_known {
            self.participant = None;
            match Participant::admit(ticket) {
                Ok(participant) => self.participant = Some((ticket.to_vec(), participant)),
                Err(why) => {
                    self.tell(&Err(why));
                    return Ok(());
                }
            }
        }
        let (_, participant) = self.participant.as_ref().expect("it was admitted");
        TaskPanic::catch(|| participant.participate())?;
        self.tell(&Ok(()));
        Ok(())
    }

    fn tell(&mut self, outcome: &Result<(), String>) {
        let text = postcard::to_stdvec(outcome).expect("texts can be encoded");
        self.answer.extend_from_slice(&text);
    }
}

/// The number that bytes begin with, and the rest.
///
/// Panics if there are too few.
pub(super) fn split(bytes: &[u8]) -> (u64, &[u8]) {
    let (number, rest) = bytes.split_at(size_of::<u64>());
    (bytemuck::pod_read_unaligned(number), rest)
}
