//! Arrays whose chunks travel through pipes.

use std::{
    fmt, mem,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use bytemuck::{AnyBitPattern, NoUninit, Pod};
use multiproc::{
    Error, Result,
    pool::{Bulk, Call, Chunks},
};

use crate::Pipes;

/// A fixed number of plain values, used like a slice. They are ordinary memory
/// of this process; workers get copies.
pub struct Array<E> {
    /// Shared with a job only while that reads it.
    elements: Arc<Vec<E>>,
}

impl<E: Pod> Deref for Array<E> {
    type Target = [E];

    fn deref(&self) -> &[E] {
        &self.elements
    }
}

impl<E: Pod> DerefMut for Array<E> {
    fn deref_mut(&mut self) -> &mut [E] {
        Arc::<Vec<E>>::make_mut(&mut self.elements)
    }
}

impl<E: Pod + fmt::Debug> fmt::Debug for Array<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<E: Pod> Array<E> {
    fn take(&mut self) -> Vec<E> {
        Arc::unwrap_or_clone(mem::take(&mut self.elements))
    }
}

impl Bulk for Pipes {
    type Array<E: Pod + Send + Sync> = Array<E>;

    fn array<E: Pod + Send + Sync>(_: &crate::Pool, len: usize) -> Result<Array<E>> {
        let bytes = len.saturating_mul(size_of::<E>());
        let elements = bytemuck::allocation::try_zeroed_vec(len).map_err(|()| Error::Memory {
            bytes,
            source: std::io::ErrorKind::OutOfMemory.into(),
        })?;
        Ok(Array { elements: Arc::new(elements) })
    }

    fn change_chunks<C, E, F>(
        call: &Call<'_, Self>,
        array: &mut Array<E>,
        chunks: Chunks,
        context: C,
        f: F,
    ) -> Result<()>
    where
        C: NoUninit + AnyBitPattern,
        E: Pod + Send + Sync,
        F: Fn(C, &mut [E]) + Copy + Send + 'static,
    {
        let (elements, outcome) = call.change_chunks_of(array.take(), chunks, context, f);
        array.elements = Arc::new(elements);
        outcome
    }

    fn map_chunks<C, I, O, F>(
        call: &Call<'_, Self>,
        input: &Array<I>,
        output: &mut Array<O>,
        chunks: Chunks,
        context: C,
        f: F,
    ) -> Result<()>
    where
        C: NoUninit + AnyBitPattern,
        I: Pod + Send + Sync,
        O: Pod + Send + Sync,
        F: Fn(C, &[I], &mut [O]) + Copy + Send + 'static,
    {
        let input = Arc::clone(&input.elements);
        let (elements, outcome) = call.map_chunks_of(input, output.take(), chunks, context, f);
        output.elements = Arc::new(elements);
        outcome
    }
}
