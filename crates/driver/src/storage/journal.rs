//! `records.jsonl`: what was measured, a line a record.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use harness::record::{RECORD_VERSION, Record, SweepRecord};

use super::StorageError;

/// All records so far, in memory and, if there is a folder, in its file.
#[derive(Debug)]
pub(crate) struct Journal {
    records: Vec<Record>,
    file: Option<Kept>,
}

/// The file of a journal.
#[derive(Debug)]
struct Kept {
    path: PathBuf,
    file: File,
    /// Its length, of whole lines only.
    bytes: u64,
}

impl Journal {
    /// A journal that is not kept.
    pub(crate) fn in_memory(seed: u64) -> Self {
        Self { records: vec![header(seed)], file: None }
    }

    /// A new journal in `path`, which must not exist yet.
    pub(super) fn create(path: &Path, seed: u64) -> Result<Self, StorageError> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(path)
            .map_err(|cause| StorageError::writing(path, cause))?;
        lock(path, &file)?;
        let kept = Kept { path: path.to_owned(), file, bytes: 0 };
        let mut journal = Self { records: Vec::new(), file: Some(kept) };
        journal.append(&[header(seed)])?;
        Ok(journal)
    }

    /// The journal in `path`, to go on with. A torn last line, the round that
    /// was being written when the writer was killed, is cut off.
    pub(super) fn resume(path: &Path) -> Result<Self, StorageError> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .open(path)
            .map_err(|cause| StorageError::reading(path, cause))?;
        lock(path, &file)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|cause| StorageError::reading(path, cause))?;
        let parsed = parse(path, &bytes)?;
        let bytes = parsed.valid_bytes as u64;
        file.set_len(bytes).map_err(|cause| StorageError::writing(path, cause))?;
        let kept = Kept { path: path.to_owned(), file, bytes };
        Ok(Self { records: parsed.records, file: Some(kept) })
    }

    /// The records in `path`, to look at.
    pub(super) fn read(path: &Path) -> Result<Vec<Record>, StorageError> {
        let bytes = std::fs::read(path).map_err(|cause| StorageError::reading(path, cause))?;
        Ok(parse(path, &bytes)?.records)
    }

    /// Every record so far.
    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }

    /// Adds records, all of them in one write.
    ///
    /// # Errors
    ///
    /// If they cannot be written; the file has none of them then.
    pub(crate) fn append(&mut self, records: &[Record]) -> Result<(), StorageError> {
        if let Some(kept) = &mut self.file {
            kept.append(records).map_err(|cause| kept.unwritten(&self.records, cause))?;
        }
        self.records.extend_from_slice(records);
        Ok(())
    }

    /// Waits until the records are on the disk.
    ///
    /// # Errors
    ///
    /// If the disk cannot take them.
    pub(crate) fn sync(&self) -> Result<(), StorageError> {
        match &self.file {
            Some(kept) => {
                let synced = kept.file.sync_data();
                synced.map_err(|cause| kept.unwritten(&self.records, cause))
            }
            None => Ok(()),
        }
    }
}

impl Kept {
    /// All of `records`, or none of them.
    fn append(&mut self, records: &[Record]) -> io::Result<()> {
        let mut lines = Vec::new();
        for record in records {
            serde_json::to_writer(&mut lines, record).expect("records are plain data");
            lines.push(b'\n');
        }
        let written = self.file.write_all(&lines);
        match written {
            Ok(()) => self.bytes += lines.len() as u64,
            // Half a line in the middle would spoil the whole file. At the end readers
            // leave it out, so nothing is lost if it cannot be cut off.
            Err(_) => drop(self.file.set_len(self.bytes)),
        }
        written
    }

    /// Nothing can be added to what was written, which is `records`.
    fn unwritten(&self, records: &[Record], cause: io::Error) -> StorageError {
        let rounds = records.iter().filter(|one| matches!(one, Record::Round(_))).count();
        match self.path.parent().filter(|_| rounds > 0) {
            Some(folder) => StorageError::interrupting(&self.path, cause, rounds, folder),
            None => StorageError::writing(&self.path, cause),
        }
    }
}

const fn header(seed: u64) -> Record {
    Record::Sweep(SweepRecord { version: RECORD_VERSION, seed })
}

/// Two sweeps that append to one file would tear each other's rounds.
fn lock(path: &Path, file: &File) -> Result<(), StorageError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            let problem = format!("another sweep is writing `{}`", path.display());
            Err(StorageError::new(problem, "wait until it ends, or interrupt it"))
        }
        Err(TryLockError::Error(cause)) => Err(StorageError::writing(path, cause)),
    }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<report::ParsedRecords, StorageError> {
    // Such an error says itself what to do.
    let parsed = report::parse_records(bytes)
        .map_err(|error| StorageError(format!("`{}`: {error}", path.display())))?;
    match parsed.records.first() {
        Some(Record::Sweep(_)) => Ok(parsed),
        _ => {
            let problem = format!("`{}` does not begin with the record of a sweep", path.display());
            let help = "the file is damaged or empty; measure again into a new folder";
            Err(StorageError::new(problem, help))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::record::{BlockEndRecord, StopReason};

    fn end(block: &str) -> Record {
        Record::BlockEnd(BlockEndRecord {
            block: block.to_owned(),
            reason: StopReason::Precise,
            precision_asked: Some(0.02),
        })
    }

    #[test]
    fn a_torn_last_line_is_cut_off_and_writing_goes_on_behind_the_whole_ones() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("records.jsonl");
        let mut journal = Journal::create(&path, 3).expect("created");
        journal.append(&[end("a")]).expect("appended");
        drop(journal);
        let mut file = OpenOptions::new().append(true).open(&path).expect("opened");
        file.write_all(b"{\"record\":\"round\",\"blo").expect("torn");
        drop(file);
        let mut journal = Journal::resume(&path).expect("resumed");
        assert_eq!(journal.records().len(), 2);
        journal.append(&[end("b")]).expect("appended");
        assert_eq!(Journal::read(&path).expect("read"), journal.records());
    }

    #[test]
    fn two_sweeps_cannot_write_to_one_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("records.jsonl");
        let _first = Journal::create(&path, 3).expect("created");
        let second = Journal::resume(&path).expect_err("locked");
        assert!(second.to_string().contains("another sweep"), "{second}");
    }
}
