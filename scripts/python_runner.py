#!/usr/bin/env python3
"""Hosts Python's multiprocessing.Pool as a runner of the driver.

The protocol is one JSON object a line: requests on standard input, replies on
standard output (crates/harness/src/protocol.rs describes it). This script is
meant to be read: it is the shortest complete runner in another language.

    python3 python_runner.py --start-method fork --workers 2

It needs Python 3.8 or newer and nothing else. All arithmetic is modulo 2**64.
"""

import argparse
import array
import ctypes
import json
import multiprocessing
import os
import signal
import sys
import time

PROTOCOL_VERSION = 1
MASK = (1 << 64) - 1
STEP = 0x9E3779B97F4A7C15
PR_SET_PDEATHSIG = 1


def main():
    arguments = parse_arguments()
    # What hosted code prints must not reach the protocol: replies go to a
    # private descriptor, and descriptor 1 leads to standard error.
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    send(replies, {"manyhands": PROTOCOL_VERSION, "pid": os.getpid()})
    host = Host(arguments)
    for line in sys.stdin:
        request = json.loads(line)
        if request["request"] == "quit":
            break
        try:
            reply = host.answer(request)
        except MemoryError:
            host.end()
            reply = failed("out-of-memory", "no memory for this job")
        except Exception as error:  # Any failure is an answer, never a silence.
            host.end()
            reply = failed("system", f"{type(error).__name__}: {error}")
        send(replies, reply)
    host.end()


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument(
        "--start-method", choices=["fork", "forkserver", "spawn"], default="fork"
    )
    parser.add_argument(
        "--pin", action="store_true", help="keep each worker on a core of its own"
    )
    return parser.parse_args()


def send(replies, message):
    replies.write(json.dumps(message) + "\n")
    replies.flush()


def failed(kind, message):
    return {"reply": "failed", "kind": kind, "message": message}


class Host:
    """One pool and its job."""

    def __init__(self, arguments):
        self.context = multiprocessing.get_context(arguments.start_method)
        self.workers = arguments.workers
        self.pin = arguments.pin
        self.pool = None
        self.job = None
        self.buffer = array.array("Q")

    def answer(self, request):
        return getattr(self, request["request"])(request)

    def start(self, _):
        self.end()
        start = time.perf_counter_ns()
        # The cores that this process may use; the seats taken, by all workers.
        cores = sorted(os.sched_getaffinity(0)) if self.pin else []
        seats = self.context.Value("i", 0)
        order = (os.getpid(), cores, seats)
        self.pool = self.context.Pool(self.workers, begin, order)
        # The constructor returns before the workers live. Each question takes
        # a moment, so that one quick worker does not answer for all.
        alive = set()
        while len(alive) < self.workers:
            asked = [self.pool.apply_async(answer_alive) for _ in range(self.workers)]
            alive.update(answer.get() for answer in asked)
        reply = {"reply": "started", "start_up_ns": time.perf_counter_ns() - start}
        return {**reply, "placement": "pinned"} if self.pin else reply

    def load(self, request):
        job = request["job"]
        stretch = 1 if job["workload"] == "sum-of-squares" else job["task_size"]
        self.buffer = array.array("Q", bytes(8 * job["tasks"] * stretch))
        self.job = job
        return {"reply": "loaded", "input": "copied-in"}

    def prepare(self, request):
        nonce = request["nonce"]
        if self.job["workload"] == "sum-of-squares":
            filler = mix(nonce) | 1 << 63
            self.buffer = array.array("Q", [filler]) * len(self.buffer)
        else:
            first = mix(nonce)
            values = ((first + i * STEP) & MASK for i in range(len(self.buffer)))
            self.buffer = array.array("Q", values)
        return {"reply": "prepared"}

    def run(self, _):
        tasks, size = self.job["tasks"], self.job["task_size"]
        start = time.perf_counter_ns()
        if self.job["workload"] == "sum-of-squares":
            results = self.pool.map(sum_of_squares, [size] * tasks)
            self.buffer = array.array("Q", results)
        elif size:
            cut = range(0, len(self.buffer), size)
            kernel = square if self.job["workload"] == "square" else cube
            parts = self.pool.map(kernel, [self.buffer[at : at + size] for at in cut])
            for at, part in zip(cut, parts):
                self.buffer[at : at + size] = part
        return {"reply": "ran", "wall_ns": time.perf_counter_ns() - start}

    def check(self, _):
        total = sum((2 * i + 1) * x for i, x in enumerate(self.buffer))
        return {"reply": "checked", "checksum": str(total & MASK)}

    def stop(self, _):
        start = time.perf_counter_ns()
        self.pool.close()
        self.pool.join()
        self.pool = None
        return {"reply": "stopped", "shutdown_ns": time.perf_counter_ns() - start}

    def end(self):
        if self.pool is not None:
            self.pool.terminate()
            self.pool.join()
            self.pool = None


def begin(parent, cores, seats):
    """What a worker does first; worker i stays on core i, from the first on again."""
    die_with_parent(parent)
    if cores:
        with seats.get_lock():
            seat = seats.value
            seats.value += 1
        os.sched_setaffinity(0, {cores[seat % len(cores)]})


def die_with_parent(parent):
    """Has the kernel end this worker when the runner is killed.

    A worker of a pool whose parent was killed waits for ever otherwise. Under
    forkserver the parent is the server, which ends with the runner.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == 1 and parent != 1:
        os._exit(0)


def answer_alive():
    time.sleep(0.001)
    return os.getpid()


def sum_of_squares(n):
    return sum(i * i for i in range(n)) & MASK


def square(part):
    return array.array("Q", [x * x & MASK for x in part])


def cube(part):
    return array.array("Q", [x * x * x & MASK for x in part])


def mix(nonce):
    """The finaliser of SplitMix64, which spreads neighbouring nonces."""
    z = (nonce + STEP) & MASK
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    return z ^ (z >> 31)


if __name__ == "__main__":
    main()
