//! Typed values, by the names of CPython's tests.

use std::{fmt::Debug, time::Duration};

use multiproc::{
    AcquireError, Error, Event, Item, RawArray, RawValue, ShareableList, SharedArray, SharedValue,
};

use super::among_relatives;
use crate::{
    sync::{ends_well, run, started},
    with_every_start_method,
};

/// CPython's `codes_values`: before, and what a child makes of it.
macro_rules! values {
    ($shared:ident) => {
        (
            $shared::new(4343i32).unwrap(),
            $shared::new(3.625f64).unwrap(),
            $shared::new(-232i16).unwrap(),
            $shared::new(1i64 << 33).unwrap(),
            $shared::new(b'x').unwrap(),
        )
    };
}

#[test]
fn test_value() {
    with_every_start_method(|method| {
        let values = values!(SharedValue);
        let (i, d, h, q, c) = &values;
        assert_eq!((i.get().unwrap(), d.get().unwrap(), h.get().unwrap()), (4343, 3.625, -232));
        assert_eq!((q.get().unwrap(), c.get().unwrap()), (1 << 33, b'x'));
        type Values = (
            SharedValue<i32>,
            SharedValue<f64>,
            SharedValue<i16>,
            SharedValue<i64>,
            SharedValue<u8>,
        );
        let change = |(i, d, h, q, c): Values| {
            i.set(24234).unwrap();
            d.set(-4.25).unwrap();
            h.set(234).unwrap();
            q.set(1 << 34).unwrap();
            c.set(b'y').unwrap();
        };
        run(method, change, values.clone());
        assert_eq!((i.get().unwrap(), d.get().unwrap(), h.get().unwrap()), (24234, -4.25, 234));
        assert_eq!((q.get().unwrap(), c.get().unwrap()), (1 << 34, b'y'));
    });
}

#[test]
fn test_rawvalue() {
    with_every_start_method(|method| {
        let values = values!(RawValue);
        let (i, d, h, q, c) = &values;
        assert_eq!((i.load(), d.load(), h.load()), (4343, 3.625, -232));
        assert_eq!((q.load(), c.load()), (1 << 33, b'x'));
        type Values = (RawValue<i32>, RawValue<f64>, RawValue<i16>, RawValue<i64>, RawValue<u8>);
        let change = |(i, d, h, q, c): Values| {
            i.store(24234);
            d.store(-4.25);
            h.store(234);
            q.store(1 << 34);
            c.store(b'y');
        };
        run(method, change, values.clone());
        assert_eq!((i.load(), d.load(), h.load()), (24234, -4.25, 234));
        assert_eq!((q.load(), c.load()), (1 << 34, b'y'));
    });
}

#[test]
fn test_getobj_getlock() {
    let value = SharedValue::new(5i32).unwrap();
    let mut guard = value.lock().unwrap();
    assert_eq!(*guard, 5);
    *guard += 1;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert!(matches!(value.try_lock(), Err(AcquireError::WouldBlock)));
            let late = value.lock_timeout(Duration::from_millis(5));
            assert!(matches!(late, Err(AcquireError::TimedOut)));
        });
    });
    drop(guard);
    assert_eq!(*value.try_lock().unwrap(), 6);
    assert_eq!(*value.lock_timeout(Duration::from_secs(60)).unwrap(), 6);
}

#[test]
fn test_getobj_getlock_obj() {
    let array = SharedArray::from_slice(&[1u8, 2, 3]).unwrap();
    let mut guard = array.lock().unwrap();
    guard.reverse();
    assert_eq!(*guard, [3, 2, 1]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert!(matches!(array.try_lock(), Err(AcquireError::WouldBlock)));
            let late = array.lock_timeout(Duration::from_millis(5));
            assert!(matches!(late, Err(AcquireError::TimedOut)));
        });
    });
    drop(guard);
    assert_eq!(array.try_lock().unwrap()[0], 3);
    assert_eq!(array.lock_timeout(Duration::from_secs(60)).unwrap()[0], 3);
}

/// CPython's `f`: every element becomes the sum of those up to it.
fn sum_up(elements: &mut [i32]) {
    for index in 1..elements.len() {
        elements[index] += elements[index - 1];
    }
}

#[test]
fn test_array() {
    with_every_start_method(|method| {
        let mut seq = [680, 626, 934, 821, 150, 233, 548, 982, 714, 831];
        let array = SharedArray::from_slice(&seq).unwrap();
        assert_eq!((array.len(), array.get(3).unwrap()), (seq.len(), seq[3]));
        seq[4..8].copy_from_slice(&[1, 2, 3, 4]);
        array.lock().unwrap()[4..8].copy_from_slice(&[1, 2, 3, 4]);
        assert_eq!(array.to_vec().unwrap(), seq);
        sum_up(&mut seq);
        run(method, |array: SharedArray<i32>| sum_up(&mut array.lock().unwrap()), array.clone());
        assert_eq!(array.to_vec().unwrap(), seq);
        array.set(9, -1).unwrap();
        assert_eq!(array.get(9).unwrap(), -1);
        assert!(matches!(array.get(10), Err(Error::OutOfRange { len: 10, .. })));
        assert!(matches!(array.set(10, 0), Err(Error::OutOfRange { len: 10, .. })));
    });
}

#[test]
fn test_array_from_size() {
    // Repeated, as in CPython: memory that was used before must be zero too.
    for _ in 0..3 {
        let array = SharedArray::<u32>::new(10).unwrap();
        assert_eq!(array.to_vec().unwrap(), [0; 10]);
        array.lock().unwrap().iter_mut().zip(0..).for_each(|(x, i)| *x = i);
        assert_eq!(array.to_vec().unwrap(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }
}

#[test]
fn test_rawarray() {
    with_every_start_method(|method| {
        let mut seq = [680, 626, 934, 821, 150, 233, 548, 982, 714, 831];
        let array = RawArray::from_slice(&seq).unwrap();
        assert_eq!((array.len(), array.load(3)), (seq.len(), seq[3]));
        seq[4..8].copy_from_slice(&[1, 2, 3, 4]);
        array.copy_from_slice(4, &[1, 2, 3, 4]);
        assert!(array.iter().eq(seq));
        sum_up(&mut seq);
        let sum_up = |array: RawArray<i32>| {
            for index in 1..array.len() {
                array.store(index, array.load(index) + array.load(index - 1));
            }
        };
        run(method, sum_up, array.clone());
        assert_eq!(array.to_vec(), seq);
    });
}

#[test]
fn an_array_may_be_empty() {
    let array = SharedArray::<u64>::new(0).unwrap();
    assert!(array.is_empty() && array.lock().unwrap().is_empty());
    assert_eq!(RawArray::<u64>::new(0).unwrap().to_vec(), []);
}

#[test]
fn additions_of_several_processes_are_all_counted() {
    with_every_start_method(|method| {
        let (value, raw) = (SharedValue::new(0u64).unwrap(), RawValue::new(0u64).unwrap());
        let go = Event::new().unwrap();
        let count = |(value, raw, go): (SharedValue<u64>, RawValue<u64>, Event)| {
            go.wait();
            for _ in 0..5_000 {
                value.update(|n| *n += 1).unwrap();
                raw.fetch_add(1);
                raw.fetch_update(|n| n + 1);
            }
        };
        let processes: Vec<_> = (0..3)
            .map(|_| started(method, count, (value.clone(), raw.clone(), go.clone())))
            .collect();
        go.set();
        processes.into_iter().for_each(ends_well);
        assert_eq!((value.get().unwrap(), raw.load()), (15_000, 30_000));
    });
}

#[test]
fn what_was_written_before_a_value_is_seen_with_it() {
    with_every_start_method(|method| {
        let array = RawArray::<u64>::new(64).unwrap();
        let turn = RawValue::new(0u32).unwrap();
        let write = |(array, turn): (RawArray<u64>, RawValue<u32>)| {
            for round in 1..=200 {
                while turn.load() != 2 * round - 2 {
                    std::thread::yield_now();
                }
                array.copy_from_slice(0, &[u64::from(round); 64]);
                turn.store(2 * round - 1);
            }
        };
        let writer = started(method, write, (array.clone(), turn.clone()));
        for round in 1..=200 {
            while turn.load() != 2 * round - 1 {
                std::thread::yield_now();
            }
            assert_eq!(array.to_vec(), [u64::from(round); 64]);
            turn.store(2 * round);
        }
        ends_well(writer);
    });
}

fn visits_are_counted<T>(method: multiproc::StartMethod, shared: T, visit: fn(&T) -> u64)
where
    T: Debug + Clone,
{
    assert_eq!(visit(&shared), 3, "{method}: {shared:?}");
}

#[test]
fn relatives_of_all_degrees_share_values() {
    with_every_start_method(|method| {
        let value = SharedValue::new([0u64; 3]).unwrap();
        among_relatives(method, &value, |value| value.update(|v| v[2] += 1).unwrap());
        visits_are_counted(method, value, |value| value.get().unwrap()[2]);

        let array = SharedArray::<u64>::new(5).unwrap();
        among_relatives(method, &array, |array| array.lock().unwrap()[4] += 1);
        visits_are_counted(method, array, |array| array.get(4).unwrap());

        let raw = RawArray::<u64>::new(5).unwrap();
        among_relatives(method, &raw, |raw| {
            raw.fetch_add(4, 1);
        });
        visits_are_counted(method, raw, |raw| raw.load(4));

        let list = ShareableList::new([0, 0]).unwrap();
        among_relatives(method, &list, |list| {
            let add = |item: &Item| match item {
                Item::Int(n) => Item::Int(n + 1),
                other => panic!("{other:?}"),
            };
            list.update(1, add).unwrap();
        });
        assert_eq!(list.get(1).unwrap(), 3.into());
    });
}

fn mixed() -> ShareableList {
    let items: [Item; 7] = [
        "howdy".into(),
        b"HoWdY".into(),
        (-273.154).into(),
        100.into(),
        None::<i64>.into(),
        true.into(),
        42.into(),
    ];
    ShareableList::new(items).unwrap()
}

#[test]
#[expect(non_snake_case, reason = "the name of CPython's test")]
fn test_shared_memory_ShareableList_basics() {
    reads_and_changes(&mixed());
    with_every_start_method(|method| {
        let list = mixed();
        run(method, |list: ShareableList| reads_and_changes(&list), list.clone());
        assert_eq!(list.get(6).unwrap(), 880.into());
        assert_eq!(list.get(0).unwrap(), "encodés".into());
    });
}

fn reads_and_changes(list: &ShareableList) {
    assert!(matches!(list.get(7), Err(Error::OutOfRange { len: 7, .. })));
    assert!(matches!(list.set(7, 2), Err(Error::OutOfRange { len: 7, .. })));
    assert_eq!(list.len(), 7);
    assert_eq!(list.index(&"100".into()).unwrap(), None);
    assert_eq!(list.index(&100.into()).unwrap(), Some(3));
    assert_eq!(list.get(0).unwrap(), "howdy".into());
    assert_eq!(list.get(5).unwrap(), true.into());
    let items: Vec<Item> = list.iter().collect::<Result<_, _>>().unwrap();
    assert_eq!(items, mixed().to_vec().unwrap());

    list.set(3, 42).unwrap();
    assert_eq!(list.get(3).unwrap(), 42.into());
    list.set(4, "some").unwrap();
    assert_eq!(list.get(4).unwrap(), "some".into());
    let too_long = list.set(4, "far too many").unwrap_err();
    assert!(too_long.to_string().contains("has room for 8"), "{too_long}");
    assert_eq!(list.get(4).unwrap(), "some".into());
    // Exactly 8 bytes of UTF-8, and one more.
    list.set(0, "encodés").unwrap();
    assert_eq!(list.get(0).unwrap(), "encodés".into());
    assert!(matches!(list.set(0, "encodées"), Err(Error::DoesNotFit { bytes: 9, .. })));
    assert!(matches!(list.set(1, b"123456789"), Err(Error::DoesNotFit { .. })));
    assert_eq!(list.get(1).unwrap(), b"HoWdY".into(), "no spillage");

    assert_eq!(list.count(&42.into()).unwrap(), 2);
    assert_eq!(list.count(&b"HoWdY".into()).unwrap(), 1);
    assert_eq!(list.count(&b"adios".into()).unwrap(), 0);

    // A duplicate, and a second handle.
    let copy = ShareableList::new(list.to_vec().unwrap()).unwrap();
    copy.set(6, 77).unwrap();
    assert_eq!(list.get(6).unwrap(), 42.into());
    let tethered = list.clone();
    tethered.set(6, 880).unwrap();
    assert_eq!(list.get(6).unwrap(), 880.into());

    let empty = ShareableList::new([(); 0]).unwrap();
    assert!(empty.is_empty() && empty.to_vec().unwrap().is_empty());
    assert_eq!(empty.count(&"any".into()).unwrap(), 0);
    assert_eq!(empty.index(&Item::None).unwrap(), None);
}

#[test]
#[expect(non_snake_case, reason = "the name of CPython's test")]
fn test_shared_memory_ShareableList_pickling() {
    with_every_start_method(|method| {
        let list = ShareableList::with_room(0..10, 7).unwrap();
        let change = |list: ShareableList| {
            assert_eq!(list.get(9).unwrap(), 9.into());
            list.set(4, "changed").unwrap();
        };
        run(method, change, list.clone());
        assert_eq!(list.get(4).unwrap(), "changed".into());
        list.set(3, "newvalue").unwrap();
        let check = |list: ShareableList| assert_eq!(list.get(3).unwrap(), "newvalue".into());
        run(method, check, list.clone());
    });
}

#[test]
fn trailing_zeros_of_bytes_and_texts_are_kept() {
    let list = ShareableList::new([Item::from(b"ends\0"), "ends\0".into(), b"".into()]).unwrap();
    let items = list.to_vec().unwrap();
    assert_eq!(items, [b"ends\0".into(), "ends\0".into(), b"".into()]);
}
