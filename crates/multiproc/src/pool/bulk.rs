//! Work on arrays of plain values, chunk by chunk.

use std::ops::DerefMut;

use bytemuck::{AnyBitPattern, NoUninit, Pod};

use super::{Call, Chunks, Pool, Transport};
use crate::Result;

/// A kind of pool that has arrays of its own.
pub trait Bulk: Transport {
    /// A fixed number of plain values, used like a slice.
    type Array<E: Pod + Send + Sync>: DerefMut<Target = [E]> + Send;

    /// An array of `len` zeros.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`](crate::Error::Memory) if there is not enough.
    fn array<E: Pod + Send + Sync>(pool: &Pool<Self>, len: usize) -> Result<Self::Array<E>>;

    /// See [`Call::for_each_chunk`].
    ///
    /// # Errors
    ///
    /// See there.
    fn change_chunks<C, E, F>(
        call: &Call<'_, Self>,
        array: &mut Self::Array<E>,
        chunks: Chunks,
        context: C,
        f: F,
    ) -> Result<()>
    where
        C: NoUninit + AnyBitPattern,
        E: Pod + Send + Sync,
        F: Fn(C, &mut [E]) + Copy + Send + 'static;

    /// See [`Call::map_chunks`].
    ///
    /// # Errors
    ///
    /// See there.
    fn map_chunks<C, I, O, F>(
        call: &Call<'_, Self>,
        input: &Self::Array<I>,
        output: &mut Self::Array<O>,
        chunks: Chunks,
        context: C,
        f: F,
    ) -> Result<()>
    where
        C: NoUninit + AnyBitPattern,
        I: Pod + Send + Sync,
        O: Pod + Send + Sync,
        F: Fn(C, &[I], &mut [O]) + Copy + Send + 'static;
}

impl<T: Bulk> Call<'_, T> {
    /// See [`Pool::for_each_chunk`].
    ///
    /// # Errors
    ///
    /// See there.
    ///
    /// # Panics
    ///
    /// If `chunk_len` is 0.
    pub fn for_each_chunk<C, E, F>(
        &self,
        array: &mut T::Array<E>,
        chunk_len: usize,
        context: C,
        f: F,
    ) -> Result<()>
    where
        C: NoUninit + AnyBitPattern,
        E: Pod + Send + Sync,
        F: Fn(C, &mut [E]) + Copy + Send + 'static,
    {
        let chunks = Chunks::of(array.len(), chunk_len);
        T::change_chunks(self, array, chunks, context, f)
    }

    /// See [`Pool::map_chunks`].
    ///
    /// # Errors
    ///
    /// See there.
    ///
    /// # Panics
    ///
    /// If `chunk_len` is 0 or the arrays have different lengths.
    pub fn map_chunks<C, I, O, F>(
        &self,
        input: &T::Array<I>,
        output: &mut T::Array<O>,
        chunk_len: usize,
        context: C,
        f: F,
    ) -> Result<()>
    where
        C: NoUninit + AnyBitPattern,
        I: Pod + Send + Sync,
        O: Pod + Send + Sync,
        F: Fn(C, &[I], &mut [O]) + Copy + Send + 'static,
    {
        assert_eq!(input.len(), output.len(), "chunks of one become chunks of the other");
        let chunks = Chunks::of(input.len(), chunk_len);
        T::map_chunks(self, input, output, chunks, context, f)
    }
}

/// Arrays.
impl<T: Bulk> Pool<T> {
    /// An array of `len` zeros, where this kind of pool works on it best.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`](crate::Error::Memory) if there is not enough.
    pub fn array<E: Pod + Send + Sync>(&self, len: usize) -> Result<T::Array<E>> {
        T::array(self, len)
    }

    /// An array with a copy of `elements`, which is one pass over their bytes more
    /// than [`array`](Self::array).
    ///
    /// # Errors
    ///
    /// As for [`array`](Self::array).
    pub fn array_from<E: Pod + Send + Sync>(&self, elements: &[E]) -> Result<T::Array<E>> {
        let mut array = self.array(elements.len())?;
        array.copy_from_slice(elements);
        Ok(array)
    }

    /// Calls `f` with `context` and each chunk of `chunk_len` elements of
    /// `array`, in place, one task a chunk. A shorter rest at the end of the
    /// array is a task too.
    ///
    /// # Errors
    ///
    /// Of the first chunk that has failed, when all others are done; see
    /// [`AsyncResult::get`](super::AsyncResult::get).
    ///
    /// # Panics
    ///
    /// If `chunk_len` is 0.
    pub fn for_each_chunk<C, E, F>(
        &self,
        array: &mut T::Array<E>,
        chunk_len: usize,
        context: C,
        f: F,
    ) -> Result<()>
    where
        C: NoUninit + AnyBitPattern,
        E: Pod + Send + Sync,
        F: Fn(C, &mut [E]) + Copy + Send + 'static,
    {
        self.call().for_each_chunk(array, chunk_len, context, f)
    }

    /// Calls `f` with `context`, each chunk of `chunk_len` elements of `input`
    /// and the same chunk of `output`, which is all zeros then, one task a chunk.
    ///
    /// # Errors
    ///
    /// As for [`for_each_chunk`](Self::for_each_chunk).
    ///
    /// # Panics
    ///
    /// If `chunk_len` is 0 or the arrays have different lengths.
    pub fn map_chunks<C, I, O, F>(
        &self,
        input: &T::Array<I>,
        output: &mut T::Array<O>,
        chunk_len: usize,
        context: C,
        f: F,
    ) -> Result<()>
    where
        C: NoUninit + AnyBitPattern,
        I: Pod + Send + Sync,
        O: Pod + Send + Sync,
        F: Fn(C, &[I], &mut [O]) + Copy + Send + 'static,
    {
        self.call().map_chunks(input, output, chunk_len, context, f)
    }
}
