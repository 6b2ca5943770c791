//! Behaviours of CPython's managers, by the names of its tests.

use multiproc::{
    Connection, CounterProxy, DictProxy, ListProxy, Manager, ManagerHandle, Proxy, Queue, Result,
    StartMethod, ValueProxy, pipe,
};
use serde::{Deserialize, Serialize};

use super::{ends_well, manager, run, started};
use crate::{in_a_process_of_its_own, with_every_start_method};

#[test]
fn test_list() {
    with_every_start_method(|method| {
        let manager = manager(method);
        let a = manager.list_from(0..10).unwrap();
        assert_eq!(a.to_vec().unwrap(), Vec::from_iter(0..10));

        let b: ListProxy<i32> = manager.list().unwrap();
        assert!(b.is_empty().unwrap());
        b.extend(0..5).unwrap();
        assert_eq!(b.get(2).unwrap(), Some(2));
        assert_eq!(b.get(5).unwrap(), None);
        b.proxy().call(|items, n: usize| *items = items.repeat(n), 2).unwrap();
        assert_eq!(b.to_vec().unwrap(), [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);

        run(
            method,
            |b: ListProxy<i32>| {
                assert_eq!(b.len().unwrap(), 10);
                assert!(b.contains(&4).unwrap() && !b.contains(&5).unwrap());
                b.sort().unwrap();
                b.reverse().unwrap();
                assert_eq!(b.pop().unwrap(), Some(0));
                assert_eq!(b.remove(0).unwrap(), 4);
                assert_eq!(b.set(0, 40).unwrap(), 4);
                b.insert(1, 41).unwrap();
                b.push(42).unwrap();
            },
            b.clone(),
        );
        assert_eq!(b.to_vec().unwrap(), [40, 41, 3, 3, 2, 2, 1, 1, 0, 42]);
        b.clear().unwrap();
        assert_eq!(b.len().unwrap(), 0);
        assert_eq!(b.pop().unwrap(), None);
    });
}

#[test]
fn test_list_proxy_in_list() {
    with_every_start_method(|method| {
        let manager = manager(method);
        let inner = |_| manager.list_from(0..3).unwrap();
        let outer: ListProxy<ListProxy<i32>> = manager.list_from((0..3).map(inner)).unwrap();
        let first = outer.get(0).unwrap().unwrap();
        first.set(2, 55).unwrap();
        run(
            method,
            |outer: ListProxy<ListProxy<i32>>| {
                let inner = outer.to_vec().unwrap();
                assert_eq!(inner[0].to_vec().unwrap(), [0, 1, 55]);
                assert_eq!(inner[1].pop().unwrap(), Some(2));
            },
            outer.clone(),
        );
        let lengths = outer.to_vec().unwrap();
        let lengths = lengths.iter().map(|inner| inner.len().unwrap());
        assert_eq!(Vec::from_iter(lengths), [3, 2, 3]);
    });
}

fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort();
    values
}

#[test]
fn test_dict() {
    with_every_start_method(|method| {
        let manager = manager(method);
        let dict: DictProxy<u32, char> = manager.dict().unwrap();
        run(
            method,
            |dict: DictProxy<u32, char>| {
                for code in 65..70 {
                    assert_eq!(dict.insert(code, char::from_u32(code).unwrap()).unwrap(), None);
                }
            },
            dict.clone(),
        );
        let expected = [(65, 'A'), (66, 'B'), (67, 'C'), (68, 'D'), (69, 'E')];
        assert_eq!(dict.to_map().unwrap(), expected.into());
        assert_eq!(sorted(dict.items().unwrap()), expected);
        assert_eq!(sorted(dict.keys().unwrap()), [65, 66, 67, 68, 69]);
        assert_eq!(sorted(dict.values().unwrap()), ['A', 'B', 'C', 'D', 'E']);
        assert_eq!(dict.get(&66).unwrap(), Some('B'));
        assert_eq!(dict.remove(&66).unwrap(), Some('B'));
        assert!(!dict.contains_key(&66).unwrap());
        assert_eq!(dict.len().unwrap(), 4);
        dict.extend([(1, 'x'), (65, 'y')]).unwrap();
        assert_eq!(dict.insert(65, 'z').unwrap(), Some('y'));
        dict.clear().unwrap();
        assert!(dict.is_empty().unwrap());
    });
}

#[test]
fn test_dict_proxy_nested() {
    type Stock = DictProxy<String, u32>;
    with_every_start_method(|method| {
        let manager = manager(method);
        let pets: Stock = manager.dict_from([("ferrets".to_owned(), 2)]).unwrap();
        let supplies: Stock = manager.dict_from([("water".to_owned(), 10)]).unwrap();
        let both = [("pets".to_owned(), pets.clone()), ("supplies".to_owned(), supplies.clone())];
        let shop = manager.dict_from(both).unwrap();
        drop((pets, supplies));
        run(
            method,
            |shop: DictProxy<String, Stock>| {
                let supplies = shop.get(&"supplies".to_owned()).unwrap().unwrap();
                assert_eq!(supplies.insert("water".to_owned(), 7).unwrap(), Some(10));
                supplies.insert("blankets".to_owned(), 5).unwrap();
            },
            shop.clone(),
        );
        let pets = shop.remove(&"pets".to_owned()).unwrap().unwrap();
        let supplies = shop.get(&"supplies".to_owned()).unwrap().unwrap();
        shop.clear().unwrap();
        assert_eq!(pets.get(&"ferrets".to_owned()).unwrap(), Some(2));
        let expected = [("water".to_owned(), 7), ("blankets".to_owned(), 5)];
        assert_eq!(supplies.to_map().unwrap(), expected.into());
    });
}

#[test]
fn test_nested_queue() {
    with_every_start_method(|method| {
        let manager = manager(method);
        let list = manager.list_from([Queue::new().unwrap()]).unwrap();
        let dict = manager.dict_from([(0, Queue::new().unwrap())]).unwrap();
        run(
            method,
            |(list, dict): (ListProxy<Queue<i32>>, DictProxy<u8, Queue<i32>>)| {
                list.get(0).unwrap().unwrap().put(&123).unwrap();
                dict.get(&0).unwrap().unwrap().put(&456).unwrap();
            },
            (list.clone(), dict.clone()),
        );
        assert_eq!(list.get(0).unwrap().unwrap().get().unwrap(), 123);
        assert_eq!(dict.get(&0).unwrap().unwrap().get().unwrap(), 456);
    });
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Person {
    name: String,
    job: Option<String>,
}

#[test]
fn test_namespace() {
    with_every_start_method(|method| {
        let manager = manager(method);
        let bob = Person { name: "Bob".to_owned(), job: Some("Builder".to_owned()) };
        let namespace = manager.value(bob.clone()).unwrap();
        run(
            method,
            |(namespace, bob): (ValueProxy<Person>, Person)| {
                assert_eq!(namespace.get().unwrap(), bob);
                let job = namespace.update(|person, ()| person.job.take(), ()).unwrap();
                assert_eq!(job.as_deref(), Some("Builder"));
            },
            (namespace.clone(), bob),
        );
        assert_eq!(namespace.get().unwrap(), Person { name: "Bob".to_owned(), job: None });
    });
}

#[test]
fn test_value() {
    with_every_start_method(|method| {
        let manager = manager(method);
        let value = manager.value(1).unwrap();
        run(
            method,
            |value: ValueProxy<i32>| {
                assert_eq!(value.get().unwrap(), 1);
                value.set(2).unwrap();
            },
            value.clone(),
        );
        assert_eq!(value.get().unwrap(), 2);
    });
}

/// Not serialisable, so it can only live in the manager.
struct FooBar {
    calls: u32,
    thread: std::thread::ThreadId,
}

impl FooBar {
    fn new(calls: u32) -> Self {
        Self { calls, thread: std::thread::current().id() }
    }

    fn f(&mut self, (): ()) -> String {
        self.calls += 1;
        format!("f() {} of {:?}", self.calls, self.thread)
    }

    fn g(&mut self, (): ()) {
        panic!("g() has no value");
    }
}

trait Foo {
    fn f(&self) -> Result<String>;
    fn g(&self) -> Result<()>;
}

impl Foo for Proxy<FooBar> {
    fn f(&self) -> Result<String> {
        self.call(FooBar::f, ())
    }

    fn g(&self) -> Result<()> {
        self.call(FooBar::g, ())
    }
}

fn common(manager: &Manager, method: StartMethod) {
    let object = manager.create(FooBar::new, 6).unwrap();
    run(
        method,
        |object: Proxy<FooBar>| {
            assert!(object.f().unwrap().starts_with("f() 7 of"));
            let error = object.g().unwrap_err().to_string();
            assert!(error.contains("ported.rs") && error.contains("g() has no value"), "{error}");
        },
        object.clone(),
    );
    assert!(object.f().unwrap().starts_with("f() 8 of"));
}

#[test]
fn test_mymanager() {
    with_every_start_method(|method| {
        let manager = manager(method);
        common(&manager, method);
        manager.shutdown().unwrap();
    });
}

#[test]
fn test_mymanager_context() {
    with_every_start_method(|method| {
        let pid = {
            let manager = manager(method);
            common(&manager, method);
            manager.pid()
        };
        assert!(!std::fs::exists(format!("/proc/{pid}")).unwrap(), "it has ended and was reaped");
    });
}

#[test]
fn test_remote() {
    with_every_start_method(|method| {
        let manager = manager(method);
        let (ours, theirs) = pipe().unwrap();
        let putter = started(
            method,
            |connection: Connection| {
                let manager: ManagerHandle = connection.recv().unwrap();
                let queue = manager.list_from(["hallå världen".to_owned()]).unwrap();
                queue.push("привіт світ".to_owned()).unwrap();
                connection.send(&queue).unwrap();
                // The object must not live by this process's reference alone.
                drop((queue, manager));
                connection.recv::<()>().unwrap();
            },
            theirs,
        );
        let handle: &ManagerHandle = &manager;
        ours.send(handle).unwrap();
        let queue: ListProxy<String> = ours.recv().unwrap();
        ours.send(&()).unwrap();
        ends_well(putter);
        assert_eq!(queue.to_vec().unwrap(), ["hallå världen", "привіт світ"]);
    });
}

#[test]
fn test_rapid_restart() {
    with_every_start_method(|method| {
        for round in 0..10 {
            let manager = manager(method);
            let counter = manager.counter().unwrap();
            assert_eq!(counter.add(round).unwrap(), round);
            manager.shutdown().unwrap();
        }
    });
}

#[test]
fn every_manager_serves_parents_children_siblings_and_grandchildren_of_every_start_method() {
    fn add_and_pass_on((counter, further): (CounterProxy, u32)) {
        counter.add(1).unwrap();
        if further > 0 {
            for method in [StartMethod::Spawn, StartMethod::ForkServer] {
                run(method, add_and_pass_on, (counter.clone(), further - 1));
            }
        }
    }
    in_a_process_of_its_own(|| {
        for server in StartMethod::ALL {
            let manager = manager(server);
            let counter = manager.counter().unwrap();
            let children: Vec<_> = StartMethod::ALL
                .map(|client| started(client, add_and_pass_on, (counter.clone(), 1)))
                .into();
            children.into_iter().for_each(ends_well);
            assert_eq!(counter.get().unwrap(), 9);
        }
    });
}

#[test]
fn what_several_processes_add_is_all_there() {
    with_every_start_method(|method| {
        let manager = manager(method);
        let counter = manager.counter().unwrap();
        let add = |counter: CounterProxy| {
            for _ in 0..200 {
                counter.add(1).unwrap();
            }
        };
        let adders = [(); 4].map(|()| started(method, add, counter.clone()));
        adders.into_iter().for_each(ends_well);
        assert_eq!(counter.get().unwrap(), 800);
    });
}

#[test]
fn a_manager_is_known_by_its_name() {
    with_every_start_method(|method| {
        let manager = Manager::builder().start_method(method).name("shop").start().unwrap();
        let comm = std::fs::read_to_string(format!("/proc/{}/comm", manager.pid())).unwrap();
        assert_eq!(comm.trim_end(), "shop");
    });
}
