"""CPython's side of one comparison, named by the argument.

Each line of standard input is a number of operations; the answer is the time
that they took, in seconds.
"""

import multiprocessing
import sys
import time


def nothing():
    pass


def starts(method):
    context = multiprocessing.get_context(method)

    def block(count):
        for _ in range(count):
            process = context.Process(target=nothing)
            process.start()
            process.join()

    return block


def peer(target, *args):
    multiprocessing.Process(target=target, args=args, daemon=True).start()


def echo(connection):
    while True:
        connection.send(connection.recv())


def pipe():
    ours, theirs = multiprocessing.Pipe()
    peer(echo, theirs)

    def block(count):
        for number in range(count):
            ours.send(number)
            ours.recv()

    return block


def lock():
    lock = multiprocessing.Lock()

    def block(count):
        for _ in range(count):
            lock.acquire()
            lock.release()

    return block


def answer(ping, pong):
    while True:
        ping.wait()
        ping.clear()
        pong.set()


def event():
    ping, pong = multiprocessing.Event(), multiprocessing.Event()
    peer(answer, ping, pong)

    def block(count):
        for _ in range(count):
            ping.set()
            pong.wait()
            pong.clear()

    return block


def arrive(barrier):
    while True:
        barrier.wait()


def barrier():
    barrier = multiprocessing.Barrier(2)
    peer(arrive, barrier)

    def block(count):
        for _ in range(count):
            barrier.wait()

    return block


def produce(orders, queue):
    while True:
        for number in range(orders.recv()):
            queue.put(number)


def queue():
    queue = multiprocessing.Queue()
    orders, theirs = multiprocessing.Pipe()
    peer(produce, theirs, queue)

    def block(count):
        orders.send(count)
        for _ in range(count):
            queue.get()

    return block


MEASUREMENTS = {
    "spawn": lambda: starts("spawn"),
    "forkserver": lambda: starts("forkserver"),
    "fork": lambda: starts("fork"),
    "pipe": pipe,
    "lock": lock,
    "event": event,
    "barrier": barrier,
    "queue": queue,
}


def main():
    block = MEASUREMENTS[sys.argv[1]]()
    for line in sys.stdin:
        count = int(line)
        start = time.perf_counter()
        block(count)
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
