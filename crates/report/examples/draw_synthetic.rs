//! Writes the report of a made-up sweep into a folder, to look at the page
//! without measuring anything:
//! `cargo run -p report --example draw_synthetic -- DIR`.

#[path = "../tests/it/synthetic.rs"]
mod synthetic;

use std::{error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).ok_or("usage: draw_synthetic DIR")?;
    let folder = PathBuf::from(folder);
    let data = synthetic::whole_sweep(42);
    for artefact in report::artefacts(&data) {
        let path = folder.join(&artefact.path);
        fs::create_dir_all(path.parent().unwrap_or(&folder))?;
        fs::write(path, artefact.contents)?;
    }
    print!("{}", report::terminal::render(&report::analyse(&data), 80, false));
    Ok(())
}
