"""The line before the models: bounded, in order, and left in time."""

from __future__ import annotations

import asyncio
import threading

import pytest

from phrasebox.errors import DataError
from phrasebox.web.limits import BusyError, ModelTimeoutError, QueueTimeoutError
from phrasebox.web.worker import CLIENT, Worker


class Gate:
    """Work that says when it began, and ends when it is let."""

    def __init__(self):
        self.begun, self.open = threading.Event(), threading.Event()

    def __call__(self, value="done"):
        self.begun.set()
        self.open.wait()
        return value


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.open.set()


async def began(gate):
    await asyncio.to_thread(gate.begun.wait)


def test_one_after_the_other_and_no_more_than_may_wait(gate):
    order = []

    async def main():
        worker = Worker(queue=2, seconds=60)
        first = asyncio.create_task(worker.run(gate, "first"))
        await began(gate)
        rest = [asyncio.create_task(worker.run(order.append, n)) for n in range(2)]
        await asyncio.sleep(0)
        assert worker.waiting == 2
        with pytest.raises(BusyError, match="2 requests are waiting"):
            await worker.run(order.append, 9)
        gate.open.set()
        assert await first == "first"
        await asyncio.gather(*rest)
        await worker.run(order.append, 2)
        assert worker.waiting == 0
        worker.close()

    asyncio.run(main())
    assert order == [0, 1, 2]


def test_a_time_limit_for_what_runs_and_for_what_waits(gate):
    done = []

    async def main():
        worker = Worker(queue=5, seconds=0.2)
        slow = asyncio.create_task(worker.run(gate))
        await began(gate)
        waiting = asyncio.create_task(worker.run(done.append, "never"))
        with pytest.raises(ModelTimeoutError, match=r"more than 0\.2 seconds"):
            await slow
        with pytest.raises(QueueTimeoutError, match="busy"):
            await waiting
        gate.open.set()
        worker.seconds = 60
        await worker.run(done.append, "then")
        worker.close()

    asyncio.run(main())
    assert done == ["then"]  # what was given up before its turn is not done any more


def test_who_goes_away_frees_the_place(gate):
    done = []

    async def main():
        worker = Worker(queue=1, seconds=60)
        first = asyncio.create_task(worker.run(gate))
        await began(gate)
        gone = asyncio.create_task(worker.run(done.append, "gone"))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait([gone])
        there = asyncio.create_task(worker.run(done.append, "there"))
        gate.open.set()
        await asyncio.gather(first, there)
        worker.close()

    asyncio.run(main())
    assert done == ["there"]


def test_errors_of_the_work_and_the_end():
    def fail():
        raise DataError("no picture")

    async def main():
        worker = Worker(queue=0, seconds=60)
        for _ in range(100):  # each finds the place of the one before it free
            with pytest.raises(DataError, match="no picture"):
                await worker.run(fail)
        worker.close()
        for _ in range(3):
            with pytest.raises(QueueTimeoutError, match="stopping"):
                await worker.run(fail)

    asyncio.run(main())


def test_clients_take_turns(gate):
    order = []

    async def main():
        worker = Worker(queue=20, seconds=60)
        first = asyncio.create_task(worker.run(gate))
        await began(gate)
        waiting = []
        for client, count in (("many", 4), ("one", 1), ("two", 2)):
            CLIENT.set(client)
            waiting += [asyncio.create_task(worker.run(order.append, f"{client} {n}")) for n in range(count)]
        await asyncio.sleep(0)
        assert worker.places == {"": 0, "many": 1, "one": 2, "two": 3}
        gate.open.set()
        await asyncio.gather(first, *waiting)
        worker.close()

    asyncio.run(main())
    assert order == ["many 0", "one 0", "two 0", "many 1", "two 1", "many 2", "many 3"]


def test_what_can_runs_together_and_fails_alone(gate):
    batches = []

    def double(items):
        batches.append(list(items))
        return [DataError("no number") if item is None else 2 * item for item in items]

    async def main():
        worker = Worker(queue=20, seconds=60)
        changes = []
        worker.on_change = lambda: changes.append(worker.waiting)
        first = asyncio.create_task(worker.run(gate))
        await began(gate)
        tasks = []
        for n in range(10):
            CLIENT.set(f"client {n % 3}")
            tasks.append(asyncio.create_task(worker.run_together(double, None if n == 4 else n)))
        await asyncio.sleep(0)
        gone = tasks.pop(2)
        gone.cancel()
        await asyncio.wait([gone])
        gate.open.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        await first
        assert [str(one) for one in found] == ["0", "2", "6", "no number", "10", "12", "14", "16", "18"]
        worker.close()
        assert max(changes) == 10

    asyncio.run(main())
    assert [len(batch) for batch in batches] == [8, 1]


def test_the_end_is_told_to_who_waits(gate):
    async def main():
        worker = Worker(queue=5, seconds=60)
        asyncio.create_task(worker.run(gate))  # noqa: RUF006
        await began(gate)
        waiting = asyncio.create_task(worker.run(gate))
        await asyncio.sleep(0)
        worker.close()
        with pytest.raises(QueueTimeoutError, match="stopping"):
            await waiting
        gate.open.set()

    asyncio.run(main())


def test_what_comes_first_is_done_first_and_its_errors_are_for_others(gate):
    def broken():
        raise RuntimeError("no model")

    async def main():
        worker = Worker(queue=5, seconds=60)
        worker.begin(broken)
        assert await worker.run(lambda: "served") == "served"
        worker.close()

    asyncio.run(main())


def test_who_waits_for_models_that_load_is_told_so(gate):
    async def main():
        worker = Worker(queue=5, seconds=0.1)
        worker.begin(gate)
        await began(gate)
        with pytest.raises(QueueTimeoutError, match="still being loaded"):
            await worker.run(lambda: None)
        gate.open.set()
        worker.close()

    asyncio.run(main())
