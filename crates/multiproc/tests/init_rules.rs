//! What `init` is for: programs with a `main` of their own.
//!
//! Without `PROGRAM` in the environment this program is the test runner; it
//! executes itself once for each of [`PROGRAMS`], whose children are this very
//! file again. What they print on standard output is what they are expected
//! to print.

use std::{
    io::Read,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use multiproc::{
    Barrier, Error, Lock, Manager, Process, RLock, Semaphore, SharedValue, StartMethod, context,
    current_process, default_start_method, init, set_start_method,
};
use serde::{Deserialize, Serialize};
use tracing::{
    Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

/// Longer than anything here takes on a machine that is not on fire.
const WATCHDOG: Duration = Duration::from_secs(60);

struct Program {
    name: &'static str,
    main: fn(),
    prints: &'static str,
}

const PROGRAMS: &[Program] = &[
    Program {
        name: "init on the first line works with every start method",
        main: exemplary,
        prints: "spawn 343\nfork 343\nforkserver 343\n",
    },
    Program {
        name: "without init children begin before main",
        main: without_init,
        prints: "spawn 343\nfork 343\nforkserver 343\n",
    },
    Program {
        name: "init after the first start is a clear error and no fork bomb",
        main: late_init,
        prints: "spawn 343\nspawn never began\nforkserver never began\n",
    },
    Program {
        name: "init that depends on a condition is a clear error and no fork bomb",
        main: conditional_init,
        prints: "spawn never began\nforkserver never began\n",
    },
    Program {
        name: "a main that neither comes to init nor ends is a clear error and no hang",
        main: endless_before_init,
        prints: "never began: join\nnever began: start\n",
    },
    Program {
        name: "threads before init make the fork server execute what it would fork",
        main: threads_before_init,
        prints: "forkserver 343\nforkserver 343\n",
    },
    Program {
        name: "a pool says so too",
        main: pool_of_a_conditional_init,
        prints: "spawn: never began\n",
    },
    Program {
        name: "a main that returns waits for its children and ends its daemons",
        main: returns_with_children,
        prints: "main returns\na child was waited for\n",
    },
    Program {
        name: "a main that exits waits for its children and ends its daemons",
        main: exits_with_children,
        prints: "main exits\na child was waited for\n",
    },
    Program {
        name: "the default start method is set once",
        main: sets_the_default,
        prints: "forkserver\nspawn\nthe default start method is spawn and cannot be set any more\n\
                 in a child: spawn\n",
    },
    Program {
        name: "the default start method is settled by its first use",
        main: uses_the_default,
        prints: "the default start method is forkserver and cannot be set any more\n",
    },
    Program {
        name: "events tell of starts, ends and a fork server that was replaced",
        main: tells_events,
        prints: "process started name=observed method=spawn\n\
                 process ended name=observed code=3\n\
                 process started name=Process-2 method=forkserver\n\
                 process ended name=Process-2 code=0\n\
                 process killed name=forkserver code=-9\n\
                 fork server relaunched\n\
                 process started name=Process-3 method=forkserver\n\
                 process ended name=Process-3 code=0\n",
    },
    Program {
        name: "events tell of what the dead have left, of broken barriers and dead managers",
        main: tells_misfortunes,
        prints: "lock handed over: its owner died kind=lock\n\
                 lock handed over: its owner died kind=recursive lock\n\
                 lock handed over: its owner died kind=SharedValue\n\
                 permits reclaimed permits=2\n\
                 barrier broken cause=timed out\n\
                 barrier broken cause=aborted\n\
                 barrier broken cause=action panicked\n\
                 manager ended\n",
    },
];

fn main() -> ExitCode {
    if let Ok(name) = std::env::var("PROGRAM") {
        let program = PROGRAMS.iter().find(|program| program.name == name);
        (program.expect("a program of the list").main)();
        return ExitCode::SUCCESS;
    }
    let failed = PROGRAMS.iter().filter(|program| !passes(program)).count();
    ExitCode::from(u8::from(failed > 0))
}

fn passes(program: &Program) -> bool {
    let mut command = Command::new(std::env::current_exe().expect("its own path"));
    command.env("PROGRAM", program.name).stdout(Stdio::piped()).stdin(Stdio::null());
    let mut child = command.spawn().expect("it can be executed");
    let mut stdout = child.stdout.take().expect("piped");
    let printed = std::thread::spawn(move || {
        let mut printed = String::new();
        stdout.read_to_string(&mut printed).map(|_| printed)
    });
    let deadline = Instant::now() + WATCHDOG;
    // Nobody is left that could print, or it hangs.
    while !printed.is_finished() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    if !printed.is_finished() {
        child.kill().expect("it can be killed");
    }
    let status = child.wait().expect("it ends");
    let printed = printed.join().expect("it does not panic").expect("text");
    let passes = status.success() && printed == program.prints;
    println!("test {} ... {}", program.name, if passes { "ok" } else { "FAILED" });
    if !passes {
        println!("{status}\nprinted:\n{printed}\nexpected:\n{}", program.prints);
    }
    passes
}

fn cube(x: u64) -> u64 {
    x.pow(3)
}

/// Starts, and prints what comes of it.
fn try_cube(method: StartMethod) {
    let mut process = context(method).process(cube, 7);
    match process.start().and_then(|()| process.result()) {
        Ok(cube) => println!("{method} {cube}"),
        Err(Error::NeverBegan { .. }) => println!("{method} never began"),
        // In a child that executes `main`: its standard output is the program's.
        Err(error @ Error::InitNotReached) => panic!("{error}"),
        Err(error) => println!("{method} {error}"),
    }
}

fn exemplary() {
    init();
    StartMethod::ALL.into_iter().for_each(try_cube);
}

fn without_init() {
    StartMethod::ALL.into_iter().for_each(try_cube);
}

fn late_init() {
    try_cube(StartMethod::Spawn);
    init();
    // From now on children look for `init`, and find a start before it.
    try_cube(StartMethod::Spawn);
    try_cube(StartMethod::ForkServer);
}

/// A child is executed with its name for an argument, and no program's own.
fn conditional_init() {
    if std::env::args().len() == 1 {
        init();
    } else {
        // The whole `main` of a child: it succeeds, but is not what was asked for.
        assert!(matches!(Process::new(cube, 7).start(), Err(Error::InitNotReached)));
        std::process::exit(0);
    }
    let mut process = context(StartMethod::Spawn).process(cube, 7);
    process.start().unwrap();
    assert!(matches!(process.join(), Err(Error::NeverBegan { status, .. }) if status.success()));
    try_cube(StartMethod::Spawn);
    try_cube(StartMethod::ForkServer);
}

fn endless_before_init() {
    if std::env::args().len() == 1 {
        init();
    } else {
        loop {
            std::thread::park();
        }
    }
    let soon = Duration::from_millis(50);
    let spawn = context(StartMethod::Spawn);
    let say = |outcome: Result<(), Error>, what: &str| match outcome {
        Err(Error::NeverBegan { within: Some(limit), .. }) if limit == soon => {
            println!("never began: {what}");
        }
        other => println!("{what}: {other:?}"),
    };
    let mut process = spawn.process(cube, 7).start_timeout(soon);
    process.start().unwrap();
    say(process.join(), "join");
    // More than fits into a socket, for somebody who does not read.
    let mut process =
        spawn.process(|bytes: Vec<u8>| bytes.len(), vec![0; 10 << 20]).start_timeout(soon);
    say(process.start(), "start");
    // The end of this program waits for it, though nobody holds it.
    let mut dropped = spawn.process(cube, 7).start_timeout(soon);
    dropped.start().unwrap();
}

/// What a process with threads forks might wait for ever for a lock of theirs.
fn threads_before_init() {
    std::thread::spawn(|| {
        loop {
            std::thread::park();
        }
    });
    init();
    try_cube(StartMethod::ForkServer);
    try_cube(StartMethod::ForkServer);
}

fn pool_of_a_conditional_init() {
    if std::env::args().len() == 1 {
        init();
    } else {
        return;
    }
    let pool = multiproc::pool::Pool::<multiproc::SharedMemoryRings>::builder()
        .workers(2)
        .start_method(StartMethod::Spawn)
        .start_timeout(WATCHDOG);
    match pool.build() {
        Err(Error::NeverBegan { .. }) => println!("spawn: never began"),
        other => println!("spawn: {:?}", other.err()),
    }
}

fn leave_children() {
    init();
    let say = |()| {
        std::thread::sleep(Duration::from_millis(50));
        println!("a child was waited for");
    };
    let sleep = |()| loop {
        std::thread::park();
    };
    for method in [StartMethod::Spawn, StartMethod::Fork, StartMethod::ForkServer] {
        let mut daemon: Process = context(method).process(sleep, ()).daemon(true);
        daemon.start().unwrap();
    }
    let mut child = context(StartMethod::ForkServer).process(say, ());
    child.start().unwrap();
}

fn returns_with_children() {
    leave_children();
    println!("main returns");
}

fn exits_with_children() {
    leave_children();
    println!("main exits");
    std::process::exit(0);
}

fn first_line(error: Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

fn sets_the_default() {
    init();
    println!("{}", default_start_method());
    set_start_method(StartMethod::Spawn).unwrap();
    println!("{}", default_start_method());
    println!("{}", first_line(set_start_method(StartMethod::Fork).unwrap_err()));
    let mut process = Process::new(|()| (default_start_method(), current_process().pid()), ());
    process.start().unwrap();
    println!("in a child: {}", process.result().unwrap().0);
}

fn uses_the_default() {
    init();
    let mut process = Process::new(|()| (), ());
    process.start().unwrap();
    process.join().unwrap();
    println!("{}", first_line(set_start_method(StartMethod::Spawn).unwrap_err()));
}

/// Prints the events of this crate, without the process ids.
struct Printing;

impl Subscriber for Printing {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "multiproc"
    }

    fn event(&self, event: &tracing::Event<'_>) {
        struct Fields(String, String);
        impl Visit for Fields {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                match field.name() {
                    "message" => self.0 = format!("{value:?}"),
                    "pid" => {}
                    name => self.1 += &format!(" {name}={value:?}").replace('"', ""),
                }
            }
        }
        let mut fields = Fields(String::new(), String::new());
        event.record(&mut fields);
        println!("{}{}", fields.0, fields.1);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn tells_events() {
    init();
    tracing::subscriber::set_global_default(Printing).unwrap();
    let exits = |code: i32| -> () { std::process::exit(code) };
    let mut observed = context(StartMethod::Spawn).process(exits, 3).named("observed");
    observed.start().unwrap();
    observed.join().unwrap();
    let mut process = context(StartMethod::ForkServer).process(cube, 7);
    process.start().unwrap();
    process.join().unwrap();
    // The only child that is left.
    let children = std::fs::read_to_string("/proc/thread-self/children").unwrap();
    let server = nix::unistd::Pid::from_raw(children.trim().parse().unwrap());
    nix::sys::signal::kill(server, nix::sys::signal::Signal::SIGKILL).unwrap();
    let mut process = context(StartMethod::ForkServer).process(cube, 7);
    process.start().unwrap();
    process.join().unwrap();
}

/// Every kind of thing that a process can take to its grave.
#[derive(Clone, Serialize, Deserialize)]
struct Estate {
    lock: Lock,
    recursive: RLock,
    value: SharedValue<u64>,
    semaphore: Semaphore,
}

fn tells_misfortunes() {
    init();
    let estate = Estate {
        lock: Lock::new().unwrap(),
        recursive: RLock::new().unwrap(),
        value: SharedValue::new(1).unwrap(),
        semaphore: Semaphore::new(2).unwrap(),
    };
    let dies = |estate: Estate| -> () {
        let _all = (estate.lock.acquire(), estate.recursive.acquire(), estate.value.lock());
        let _permits = [(); 2].map(|()| estate.semaphore.acquire());
        std::process::exit(1);
    };
    let mut process = Process::new(dies, estate.clone());
    process.start().unwrap();
    process.join().unwrap();
    let manager = Manager::start().unwrap();
    let object = manager.create(|()| (), ()).unwrap();
    let server = object.call(|(), ()| std::process::id() as i32, ()).unwrap();
    // Only now, so that what is printed is about what was left.
    tracing::subscriber::set_global_default(Printing).unwrap();
    assert!(estate.lock.acquire().is_err());
    assert!(estate.recursive.acquire().is_err());
    assert!(estate.value.get().is_err());
    assert!(estate.semaphore.acquire().is_err());
    let barrier = Barrier::new(2).unwrap();
    assert!(barrier.wait_timeout(Duration::from_millis(1)).is_err());
    barrier.reset();
    barrier.abort();
    barrier.reset();
    let alone = Barrier::new(1).unwrap();
    let panics = || alone.wait_with_action(|| panic!("on purpose"));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
    let server = nix::unistd::Pid::from_raw(server);
    nix::sys::signal::kill(server, nix::sys::signal::Signal::SIGKILL).unwrap();
    // Told of once.
    for _ in 0..2 {
        assert!(object.call(|(), ()| (), ()).is_err());
    }
    std::process::exit(0);
}
