//! Four colours go into a queue and come out in the same order.
//!
//! Python warns that `empty()` is not reliable, since a thread may still be
//! on its way with an item. Here an item lies in the queue when `put`
//! returns, so this loop sees all of them:
//!
//! ```python
//! while not queue.empty():
//!     print('item no:', number, queue.get())
//! ```

use std::io::{Write, stdout};

use multiproc::Queue;

fn main() -> multiproc::Result<()> {
    multiproc::init();
    let mut out = stdout();
    let queue = Queue::new()?;
    let _ = writeln!(out, "pushing items to queue:");
    for (number, colour) in (1..).zip(["red", "green", "blue", "black"].map(String::from)) {
        let _ = writeln!(out, "item no: {number} {colour}");
        queue.put(&colour)?;
    }
    let _ = writeln!(out, "\npopping items from queue:");
    let mut number = 1;
    while !queue.is_empty() {
        let _ = writeln!(out, "item no: {number} {}", queue.get()?);
        number += 1;
    }
    Ok(())
}
