"""CPython's side of `driver sweep --config limits`.

Each line of standard input is a JSON object that says what to do; the answer
is how long it took, as {"seconds": ...}. Pools and peers that live on are
started when they are first asked for.
"""

import json
import multiprocessing
import sys
import time

WORKERS = 2


def square(x):
    return x * x


def map_tasks(state, tasks):
    if "pool" not in state:
        state["pool"] = multiprocessing.Pool(WORKERS)
        state["pool"].map(square, range(WORKERS))
    begun = time.perf_counter()
    results = state["pool"].map(square, range(tasks), chunksize=1)
    seconds = time.perf_counter() - begun
    assert results[-1] == (tasks - 1) ** 2
    return seconds


def start_up(_, method):
    context = multiprocessing.get_context(method)
    begun = time.perf_counter()
    pool = context.Pool(WORKERS)
    results = pool.map(square, range(WORKERS))
    seconds = time.perf_counter() - begun
    pool.close()
    pool.join()
    assert results == [0, 1]
    return seconds


def receive(connection):
    try:
        while True:
            connection.send(len(connection.recv_bytes()))
    except EOFError:
        pass


def payload(state, bytes):
    if "peer" not in state:
        ours, theirs = multiprocessing.Pipe()
        multiprocessing.Process(target=receive, args=(theirs,), daemon=True).start()
        state["peer"], state["message"] = ours, b"\1" * bytes
    begun = time.perf_counter()
    state["peer"].send_bytes(state["message"])
    received = state["peer"].recv()
    seconds = time.perf_counter() - begun
    assert received == bytes
    return seconds


ANSWERS = {"map": map_tasks, "start-up": start_up, "payload": payload}


def main():
    state = {}
    for line in sys.stdin:
        request = json.loads(line)
        answer = ANSWERS[request.pop("ask")]
        print(json.dumps({"seconds": answer(state, **request)}), flush=True)
    if "pool" in state:
        state["pool"].terminate()


if __name__ == "__main__":
    main()
