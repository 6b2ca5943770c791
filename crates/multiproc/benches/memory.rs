//! Shared memory, values, arrays and lists in one process.
//!
//! CPython 3.11 on the same machine, two cores and others at work, best of
//! five, for the same:
//!
//! | | |
//! |---|---|
//! | create, close and unlink 4 KiB | 110 µs |
//! | write 1 MiB to `buf`; read it as `bytes` | 185 µs; 219 µs |
//! | `RawArray('d')[:]` of 1 MiB | 11.4 ms |
//! | `Value.value`; `with get_lock(): value += 1` | 268 ns; 1465 ns |
//! | `RawValue.value`; `RawArray[5]` | 76 ns; 93 ns |
//! | `Array[5]` | 1133 ns |
//! | `ShareableList[1]`; `ShareableList[1] = 5` | 3.7 µs; 6.3 µs |
//!
//! Ours at that time, the quickest samples: create and drop 14 µs; write and
//! read 1 MiB 86 µs each, from an array of bytes 387 µs; a locked value or
//! element 27 ns; without a lock 1 ns, `fetch_add` 8 ns; list 76 and 46 ns.

use std::hint::black_box;

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use multiproc::{Item, RawArray, RawValue, ShareableList, SharedArray, SharedMemory, SharedValue};

const MIB: usize = 1 << 20;

fn memory(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("memory");
    group.bench_function("create and drop 4 KiB", |b| {
        b.iter(|| SharedMemory::new(4096).unwrap());
    });
    let memory = SharedMemory::new(MIB + 8).unwrap();
    let mut bytes = vec![1; MIB];
    group.throughput(Throughput::Bytes(MIB as u64));
    // Aligned to a word, and not.
    for offset in [0, 3] {
        group.bench_function(format!("write 1 MiB at {offset}"), |b| {
            b.iter(|| memory.write_at(offset, black_box(&bytes)).unwrap());
        });
        group.bench_function(format!("read 1 MiB at {offset}"), |b| {
            b.iter(|| memory.read_at(offset, black_box(&mut bytes)).unwrap());
        });
    }
    raw_array::<u8>(&mut group);
    raw_array::<f64>(&mut group);
}

fn raw_array<T: bytemuck::Pod>(group: &mut BenchmarkGroup<'_, criterion::measurement::WallTime>) {
    let array = RawArray::<T>::new(MIB / size_of::<T>()).unwrap();
    let mut elements = array.to_vec();
    let name = std::any::type_name::<T>();
    group.bench_function(format!("copy 1 MiB of {name} from an array"), |b| {
        b.iter(|| array.copy_to_slice(0, black_box(&mut elements)));
    });
}

fn values(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("values");
    let value = SharedValue::new(0u64).unwrap();
    group.bench_function("SharedValue get", |b| b.iter(|| value.get().unwrap()));
    group.bench_function("SharedValue update", |b| b.iter(|| value.update(|n| *n += 1).unwrap()));
    let raw = RawValue::new(0u64).unwrap();
    group.bench_function("RawValue load", |b| b.iter(|| raw.load()));
    group.bench_function("RawValue fetch_add", |b| b.iter(|| raw.fetch_add(1)));
    let array = SharedArray::<f64>::new(1_000).unwrap();
    group.bench_function("SharedArray get", |b| b.iter(|| array.get(black_box(5)).unwrap()));
    let raw = RawArray::<f64>::new(1_000).unwrap();
    group.bench_function("RawArray load", |b| b.iter(|| raw.load(black_box(5))));
    let list = ShareableList::new(["howdy".into(), Item::Int(1), 2.5.into()]).unwrap();
    group.bench_function("ShareableList get", |b| b.iter(|| list.get(black_box(1)).unwrap()));
    group.bench_function("ShareableList set", |b| b.iter(|| list.set(black_box(1), 5).unwrap()));
}

criterion_group!(benches, memory, values);
criterion_main!(benches);
