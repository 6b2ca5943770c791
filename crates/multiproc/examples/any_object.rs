//! A list of mixed kinds, a number, nothing and a text, through a queue.
//!
//! Python sends any object that it can pickle:
//!
//! ```python
//! queue.put([42, None, 'hello'])
//! ```
//!
//! In Rust the kinds are named in an enum, which serde turns into bytes and
//! back; the compiler checks that every kind is dealt with.

use std::{
    fmt,
    io::{Write, stdout},
};

use multiproc::{Process, Queue};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
enum Object {
    Number(i64),
    None,
    Text(String),
}

/// As Python prints it, without the names of the kinds.
impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::None => f.write_str("None"),
            Self::Text(text) => text.fmt(f),
        }
    }
}

fn put_objects(queue: Queue<Vec<Object>>) {
    let objects = vec![Object::Number(42), Object::None, Object::Text("hello".to_owned())];
    queue.put(&objects).expect("nobody closes it");
}

fn main() -> multiproc::Result<()> {
    multiproc::init();
    let queue = Queue::new()?;
    let mut process = Process::new(put_objects, queue.clone());
    process.start()?;
    process.join()?;
    // It is there if the process has put it: no need to wait, as `get` would.
    let _ = writeln!(stdout(), "{:?}", queue.try_get()?);
    Ok(())
}
