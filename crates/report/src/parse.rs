//! Reading `records.jsonl`.

use harness::record::{RECORD_VERSION, Record};

/// What [`parse_records`] found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParsedRecords {
    /// The records of all complete lines.
    pub records: Vec<Record>,
    /// Bytes of the complete lines: a writer that resumes truncates the file
    /// to this length before it appends.
    pub valid_bytes: usize,
    /// Whether an unfinished last line was left out.
    pub unfinished: bool,
}

/// Why a file of records cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// A line, other than an unfinished last one, is not a record.
    #[error(
        "line {line} of the records is not a record: {cause}\nhelp: the file was edited or damaged; \
         remove that line, or measure again"
    )]
    Line {
        /// Counts from 1.
        line: usize,
        /// What is wrong with it.
        cause: serde_json::Error,
    },
    /// The first line is not a sweep's header.
    #[error(
        "the records do not begin with a sweep's header\nhelp: check that the folder was written by \
         `driver sweep`"
    )]
    NoHeader,
    /// The records are of a version that this program does not know.
    #[error(
        "the records are of version {found}, and this program reads version {RECORD_VERSION}\nhelp: \
         use the version of the driver that wrote them"
    )]
    Version {
        /// Their version.
        found: u64,
    },
}

/// Reads JSON lines as a sweep appends them.
///
/// A line counts when its line feed is there: whatever follows the last line
/// feed is the line that was in progress when the writer was killed, and is
/// left out. An empty file has no records and is no error.
///
/// # Errors
///
/// [`ParseError::Version`] and [`ParseError::NoHeader`] for a first line that
/// is not a header of [`RECORD_VERSION`]; [`ParseError::Line`] for any other
/// complete line that is not a record.
///
/// ```
/// let text = "{\"record\":\"sweep\",\"version\":1,\"seed\":42}\n{\"record\":\"rou";
/// let parsed = report::parse_records(text)?;
/// assert_eq!((parsed.records.len(), parsed.valid_bytes, parsed.unfinished), (1, 41, true));
/// # Ok::<(), report::ParseError>(())
/// ```
pub fn parse_records(text: impl AsRef<[u8]>) -> Result<ParsedRecords, ParseError> {
    let bytes = text.as_ref();
    let valid_bytes = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
    let records = bytes[..valid_bytes]
        .split_inclusive(|&byte| byte == b'\n')
        .enumerate()
        .map(|(index, line)| parse_line(index, line))
        .collect::<Result<_, _>>()?;
    Ok(ParsedRecords { records, valid_bytes, unfinished: valid_bytes < bytes.len() })
}

fn parse_line(index: usize, line: &[u8]) -> Result<Record, ParseError> {
    if index == 0 {
        check_header(line)?;
    }
    serde_json::from_slice(line).map_err(|cause| ParseError::Line { line: index + 1, cause })
}

/// Looks at the header's version before anything else, since every other part
/// of the format may differ in another version.
fn check_header(line: &[u8]) -> Result<(), ParseError> {
    let header: serde_json::Value =
        serde_json::from_slice(line).map_err(|cause| ParseError::Line { line: 1, cause })?;
    if header["record"] != "sweep" {
        return Err(ParseError::NoHeader);
    }
    match header["version"].as_u64() {
        Some(found) if found == u64::from(RECORD_VERSION) => Ok(()),
        Some(found) => Err(ParseError::Version { found }),
        None => Err(ParseError::NoHeader),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "{\"record\":\"sweep\",\"version\":1,\"seed\":1}\n";
    const END: &str = "{\"record\":\"block-end\",\"block\":\"a\",\"reason\":\"precise\"}\n";

    #[test]
    fn an_empty_file_has_no_records() {
        assert_eq!(parse_records("").unwrap(), ParsedRecords::default());
    }

    #[test]
    fn complete_lines_are_all_read() {
        let parsed = parse_records(format!("{HEADER}{END}{END}")).unwrap();
        assert_eq!(parsed.records.len(), 3);
        assert_eq!(parsed.valid_bytes, HEADER.len() + 2 * END.len());
        assert!(!parsed.unfinished);
    }

    #[test]
    fn a_file_cut_at_any_byte_gives_its_complete_lines() {
        let whole = format!("{HEADER}{END}{END}");
        for cut in 0..=whole.len() {
            let parsed = parse_records(&whole[..cut]).unwrap();
            assert_eq!(parsed.records.len(), whole[..cut].matches('\n').count());
            assert_eq!(parsed.unfinished, parsed.valid_bytes != cut);
        }
    }

    #[test]
    fn a_cut_inside_a_character_is_an_unfinished_line() {
        let mut bytes = HEADER.as_bytes().to_vec();
        bytes.extend(&"{\"block\":\"×".as_bytes()[..11]);
        assert!(parse_records(bytes).unwrap().unfinished);
    }

    #[test]
    fn a_bad_line_is_named_by_its_number() {
        let error = parse_records(format!("{HEADER}{END}nonsense\n{END}")).unwrap_err();
        let words = error.to_string();
        assert!(words.starts_with("line 3 of the records") && words.contains("help:"), "{words}");
    }

    #[test]
    fn another_version_is_named_even_if_its_header_looks_different() {
        let header = "{\"record\":\"sweep\",\"version\":2,\"started\":\"today\"}\n";
        assert!(matches!(parse_records(header), Err(ParseError::Version { found: 2 })));
    }

    #[test]
    fn a_file_that_begins_otherwise_has_no_header() {
        assert!(matches!(parse_records(END), Err(ParseError::NoHeader)));
        assert!(matches!(parse_records("{}\n"), Err(ParseError::NoHeader)));
    }
}
