//! Where the tasks of a job find their input and leave their output.

use std::{marker::PhantomData, sync::Arc};

use super::{RegionId, array::Detached};

/// A borrowed array, divided into one stretch a task; the last may be shorter.
///
/// Made by [`BoardArray::stretches`](crate::BoardArray::stretches) and
/// [`stretches_mut`](crate::BoardArray::stretches_mut).
#[derive(Debug)]
pub struct Stretch<'a> {
    pub(super) region: RegionId,
    /// Tells arrays of different boards apart.
    pub(super) owner: &'a Detached,
    /// Bytes of one task's stretch.
    pub(super) stride: usize,
    /// Bytes of the array.
    pub(super) len: usize,
    pub(super) exclusive: bool,
    borrow: PhantomData<&'a mut ()>,
}

impl<'a> Stretch<'a> {
    pub(crate) fn new(region: RegionId, owner: &'a Detached, stride: usize, len: usize) -> Self {
        Self { region, owner, stride, len, exclusive: false, borrow: PhantomData }
    }

    pub(crate) fn exclusive(self) -> Self {
        Self { exclusive: true, ..self }
    }

    /// Whether the array is one of `owner`'s and `tasks` stretches begin in it.
    pub(super) fn holds(&self, tasks: usize, owner: &Detached) -> bool {
        Arc::ptr_eq(self.owner, owner) && last_begins_within(tasks, self.stride, self.len)
    }
}

/// Whether the last of `tasks` stretches begins within `len` bytes.
pub(super) fn last_begins_within(tasks: usize, stride: usize, len: usize) -> bool {
    let last = tasks.saturating_sub(1).checked_mul(stride);
    last.is_some_and(|start| start <= len)
}
