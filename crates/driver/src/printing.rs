//! Standard output carries tables and nothing else, so that it can be piped.

use std::io::{self, IsTerminal, Write};

/// Columns of a table where the terminal does not say.
const DEFAULT_WIDTH: usize = 80;

/// A table that is wider than this is harder to read, not easier.
const MAX_WIDTH: usize = 120;

/// Writes `text` to standard output. A reader that has closed the pipe has
/// seen enough: that is no error.
///
/// # Errors
///
/// If standard output cannot be written to for any other reason.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes a line to standard error, which may be closed as well.
pub(crate) fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Columns to lay tables out for.
pub(crate) fn width() -> usize {
    match console::Term::stdout().size_checked() {
        Some((_, columns)) => usize::from(columns).min(MAX_WIDTH),
        None => DEFAULT_WIDTH,
    }
}

/// Whether to use colours: only on a terminal, and not if `NO_COLOR` is set.
pub(crate) fn color() -> bool {
    io::stdout().is_terminal() && console::colors_enabled()
}
