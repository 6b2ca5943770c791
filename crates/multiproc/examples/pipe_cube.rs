//! One process cubes a number and sends the result to another one through a
//! pipe. Neither is the other's parent.
//!
//! In Python the receiver comes first, too:
//!
//! ```python
//! receiver, sender = Pipe(duplex=False)
//! sender.send(number ** 3)
//! print(receiver.recv())
//! ```

use std::io::{Write, stdout};

use multiproc::{Error, Process, Receiver, Sender, one_way_pipe};

fn send_cube((number, sender): (u64, Sender)) {
    sender.send(&number.pow(3)).expect("the receiver waits for it");
}

fn print_cube((number, receiver): (u64, Receiver)) {
    let message = match receiver.recv::<u64>() {
        Ok(cube) => format!("The cube of {number} is {cube}"),
        // A sender that ended early is an end of file here, never a hang.
        Err(Error::Disconnected) => format!("Nobody sends the cube of {number}"),
        Err(error) => error.to_string(),
    };
    let _ = writeln!(stdout(), "{message}");
}

fn main() -> multiproc::Result<()> {
    multiproc::init();
    let (receiver, sender) = one_way_pipe()?;
    // Each end moves into the process that uses it; nothing of it stays here.
    let mut cubing = Process::new(send_cube, (19, sender));
    let mut printing = Process::new(print_cube, (19, receiver));
    cubing.start()?;
    printing.start()?;
    cubing.join()?;
    printing.join()
}
