//! A load that lives as long as another process.

use std::{
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::scene::{Scene, end_of};

/// A process that this test has started and the driver has not.
fn stranger() -> Child {
    Command::new("sleep").arg("300").stdin(Stdio::null()).spawn().expect("it starts")
}

#[test]
fn a_load_lives_as_long_as_the_process_that_is_named_whoever_has_started_it() {
    let scene = Scene::new();
    let mut other = stranger();
    let load = scene.command(&["load", "--parent", &other.id().to_string(), "--seed", "1"]);
    let mut load = { load }.spawn().expect("the load starts");
    // Past several looks.
    let until = Instant::now() + Duration::from_millis(500);
    while Instant::now() < until {
        assert_eq!(load.try_wait().expect("a child"), None, "it has ended too soon");
        thread::sleep(Duration::from_millis(10));
    }
    other.kill().expect("killed");
    // Not waited for yet: it is over all the same.
    let end = end_of(load);
    assert_eq!((end.code, &*end.stderr), (Some(0), ""), "{end:?}");
    other.wait().expect("waited for");
}

#[test]
fn a_load_for_a_process_that_is_gone_is_refused() {
    let mut gone = stranger();
    gone.kill().expect("killed");
    gone.wait().expect("waited for");
    let end = Scene::new().run(&["load", "--parent", &gone.id().to_string(), "--seed", "1"]);
    assert_eq!(end.code, Some(2), "{end:?}");
    assert!(end.stderr.contains("no such process") && end.stderr.contains("help: "), "{end:?}");
}
