"""Hints over Celery on Redis: what an unmodified Celery makes of them, and what no failure of Redis can do to them."""

import asyncio
import base64
import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import uuid

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewright.chassis.queue.celery_app import FrontLaneWithShare, create_app
from filewright.chassis.queue.celery_queue import CeleryQueue
from filewright.chassis.queue.envelope import TASK, envelope
from filewright.chassis.queue.port import PREMIUM, STANDARD, QueueFull, QueueUnavailable, Task
from filewright.chassis.queue.tokens import sign

pytestmark = pytest.mark.redis
SECRET = b"a secret of the tests, of 32 bytes or more"
SOON = 30.0


class Opened:
    """Run by whoever unpickles it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def pickled(trap):
    """A Celery message whose body is code."""
    body = pickle.dumps(([Opened(str(trap))], {}, {}))
    message = orjson.loads(envelope("x", STANDARD, shown=""))
    message["body"] = base64.b64encode(body).decode()
    message["content-type"], message["content-encoding"] = "application/x-python-serialize", "binary"
    return json.dumps(message)


def of_another_task(name, *args):
    message = orjson.loads(envelope("x", STANDARD, shown=""))
    message["headers"]["task"] = name
    message["body"] = base64.b64encode(orjson.dumps((args, {}, {}))).decode()
    return json.dumps(message)


def forgeries(trap):
    """What somebody could push who can write to Redis and has no secret."""
    genuine = sign("job", "job_1", STANDARD, SECRET)
    return {
        "another secret": envelope(sign("job", "job_1", STANDARD, b"guessed"), STANDARD, shown=""),
        "another row under an old seal": envelope(genuine.replace("job_1", "job_2"), STANDARD, shown=""),
        "no token": envelope("job_1", STANDARD, shown=""),
        "a number": of_another_task(TASK, 5),
        "nothing": of_another_task(TASK),
        "too much": of_another_task(TASK, "a", "b", "c"),
        "an unknown task": of_another_task("os.system", "true"),
        "a task of Celery's own": of_another_task("celery.map", {"task": TASK}, [[genuine]]),
        "a pickle": pickled(trap),
        "later": envelope(genuine, STANDARD, shown="").replace(b'"eta":null', b'"eta":"2999-01-01T00:00:00"'),
        "no JSON": b"\x80\x04not a message",
        "no message": b"[]",
        "an empty message": b"{}",
    }


@pytest.fixture
async def open_queue():
    """Makes queues on our secret, and closes them."""
    opened = []

    def make(server, **options):
        opened.append(CeleryQueue(server.url(), SECRET, **options))
        return opened[-1]

    yield make
    for queue in opened:
        await queue.close()


@pytest.fixture
def queue(mortal_redis, open_queue):
    return open_queue(mortal_redis)


async def published(queue, task):
    """Publish, as the relay does, again until Redis took it."""
    async with asyncio.timeout(SOON):
        while True:
            try:
                await queue.publish(task)
            except QueueUnavailable:
                await asyncio.sleep(0.05)
            else:
                return


async def taken(queue):
    """Take, as a worker does, again until there is one."""
    async with asyncio.timeout(SOON):
        while (task := await queue.take(1)) is None:
            """A poll."""
    return task


# --- an unmodified Celery ----------------------------------------------------------------------------------------


@pytest.fixture
def stock_worker(redis_server, tmp_path):
    """Celery's own command and default pool on our application; what it delivers becomes lines of a file."""
    (tmp_path / "stock.py").write_text(
        textwrap.dedent(f"""
        from filewright.chassis.queue.celery_app import create_app

        def deliver(task):
            with open({str(tmp_path / "delivered")!r}, "a") as file:
                file.write(f"{{task.lane}} {{task.kind}} {{task.id}}\\n")

        app = create_app({redis_server.url()!r}, {SECRET!r}, deliver)
        """)
    )
    (tmp_path / "delivered").touch()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "stock", "worker", "-c", "1", "-Q", "premium,standard"],
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            cwd=tmp_path, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    yield process
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


async def delivered(tmp_path, line):
    async with asyncio.timeout(SOON):
        while line not in (lines := (tmp_path / "delivered").read_text().splitlines()):
            await asyncio.sleep(0.05)
    return lines


@pytest.mark.requirement("F10")
async def test_a_stock_worker_runs_what_is_published_and_survives_what_is_forged(
    open_queue, redis_server, stock_worker, tmp_path
):
    queue = open_queue(redis_server)
    for number in range(10):
        await queue.publish(Task("job", f"job_{number}", PREMIUM if number % 2 else STANDARD))
    lines = await delivered(tmp_path, "standard job job_8")
    assert sorted(lines) == sorted(f"{'premium' if n % 2 else 'standard'} job job_{n}" for n in range(10))
    forged = forgeries(tmp_path / "opened")
    for shapeless in ("no JSON", "no message", "an empty message"):
        del forged[shapeless]  # kombu itself ends over these; our own worker is another (below)
    for message in forged.values():
        redis_server.do("LPUSH", STANDARD, message)
    await queue.publish(Task("job", "after_them", STANDARD))
    assert len(await delivered(tmp_path, "standard job after_them")) == 11, "nothing but the genuine was delivered"
    assert stock_worker.poll() is None
    assert not (tmp_path / "opened").exists()
    assert (tmp_path / "log").read_text().count("hint_refused") == 5, "it is told that somebody tried"


async def test_celerys_tools_see_the_worker_inside_a_process(redis_server, open_queue):
    queue = open_queue(redis_server, name="filewright-7@here")
    taking = asyncio.create_task(queue.take(SOON))
    app = create_app(redis_server.url(), SECRET, print)
    inspect = app.control.inspect(timeout=1)

    async def told(question):
        async with asyncio.timeout(SOON):
            while not (answer := await asyncio.to_thread(question)):
                """It is starting, or the machine is slow."""
        return answer["filewright-7@here"]

    assert await told(inspect.ping) == {"ok": "pong"}
    assert [lane["name"] for lane in await told(inspect.active_queues)] == [PREMIUM, STANDARD]
    assert await told(inspect.registered) == [TASK]
    assert (await told(inspect.stats))["prefetch_count"] == 1
    await queue.publish(Task("job", "job_1"))
    assert await taking == Task("job", "job_1")
    app.close()


# --- our own worker ----------------------------------------------------------------------------------------------


@pytest.mark.requirement("F10")
@pytest.mark.parametrize("forgery", forgeries("never made"))
async def test_what_is_forged_is_refused_and_the_worker_lives(queue, mortal_redis, tmp_path, forgery):
    for _ in range(2):
        mortal_redis.do("LPUSH", STANDARD, forgeries(tmp_path / "opened")[forgery])
    await queue.publish(Task("job", "genuine"))
    assert await taken(queue) == Task("job", "genuine")
    assert not (tmp_path / "opened").exists()
    assert dict(await queue.depth()) == {PREMIUM: 0, STANDARD: 0}


async def test_a_hint_that_nobody_waits_for_stays_for_other_processes(queue):
    await queue.publish(Task("job", "job_1"))
    assert await taken(queue) == Task("job", "job_1")  # it listens now,
    for number in range(5):
        await queue.publish(Task("job", f"later_{number}"))
    assert (await queue.depth())[STANDARD] >= 4, "at most the one that was under way is kept"
    assert [(await taken(queue)).id for _ in range(5)] == [f"later_{number}" for number in range(5)]


async def test_a_full_queue_refuses_and_takes_again_when_there_is_room(redis_server, open_queue):
    queue = open_queue(redis_server, capacity=3)
    for number in range(3):
        await queue.publish(Task("job", f"job_{number}", PREMIUM if number else STANDARD))
    with pytest.raises(QueueFull):
        await queue.publish(Task("job", "one_more"))
    await taken(queue)
    await queue.publish(Task("job", "one_more"))


async def test_a_process_may_serve_one_lane_only(redis_server, open_queue):
    queue = open_queue(redis_server, lanes=[STANDARD])
    await queue.publish(Task("job", "for_others", PREMIUM))
    await queue.publish(Task("job", "for_us", STANDARD))
    assert (await taken(queue)).id == "for_us"
    assert await queue.take(0.1) is None
    assert (await queue.depth())[PREMIUM] == 1


@given(sources=st.lists(st.sampled_from([PREMIUM, STANDARD, None]), max_size=60))
def test_standard_waits_for_no_more_than_its_share_of_premium(sources):
    order = FrontLaneWithShare()
    order.update([PREMIUM, STANDARD])
    waiting = {PREMIUM: 10**6, STANDARD: 0}
    in_a_row = 0
    for arrival in sources:
        if arrival == STANDARD:
            waiting[STANDARD] += 1
        lane = next(lane for lane in order.consume(2) if waiting[lane])
        waiting[lane] -= 1
        order.rotate(lane)
        in_a_row = in_a_row + 1 if lane == PREMIUM and waiting[STANDARD] else 0
        assert in_a_row <= FrontLaneWithShare.fairness
        if in_a_row == 0 and lane == STANDARD:
            assert order.consume(2)[0] == PREMIUM, "after its share premium is in front again"


def test_a_message_that_was_on_its_way_to_a_worker_that_ends_disturbs_nobody():
    order = FrontLaneWithShare()
    assert order.rotate(PREMIUM) == PREMIUM


async def test_a_worker_that_went_deaf_is_replaced(queue, mortal_redis):
    await queue.publish(Task("job", "heard"))
    await taken(queue)
    app = create_app(mortal_redis.url(), SECRET, print)
    cancel = {"destination": None, "reply": True, "timeout": 0.5}
    async with asyncio.timeout(SOON):
        while not await asyncio.to_thread(app.control.cancel_consumer, STANDARD, **cancel):
            """It hears that it is to be deaf."""
    app.close()
    await queue.publish(Task("job", "unheard"))
    assert await taken(queue) == Task("job", "unheard")


# --- Redis fails -------------------------------------------------------------------------------------------------


async def test_emptying_redis_costs_the_hints_in_it_and_nothing_else(queue, mortal_redis):
    for number in range(10):
        taking = asyncio.create_task(taken(queue))
        await asyncio.sleep(0)
        mortal_redis.do("FLUSHALL")
        await queue.publish(Task("job", f"job_{number}"))
        assert (await taking).id == f"job_{number}"


async def test_takers_go_on_by_themselves_after_a_crash_of_redis(queue, mortal_redis):
    await queue.publish(Task("job", "before"))
    assert (await taken(queue)).id == "before"
    for crash in range(2):
        taking = asyncio.create_task(taken(queue))
        await asyncio.sleep(0)
        mortal_redis.signal(signal.SIGKILL)
        with pytest.raises(QueueUnavailable):
            await queue.publish(Task("job", "meanwhile"))
        mortal_redis.restart()
        await published(queue, Task("job", f"after_{crash}"))
        assert (await taking).id == f"after_{crash}"


async def test_takers_go_on_by_themselves_after_redis_was_frozen(queue, mortal_redis):
    await queue.publish(Task("job", "before"))
    assert (await taken(queue)).id == "before"
    taking = asyncio.create_task(taken(queue))
    await asyncio.sleep(0)
    mortal_redis.freeze()
    async with asyncio.timeout(SOON):  # it does not answer, and that does not take for ever
        with pytest.raises(QueueUnavailable):
            await queue.publish(Task("job", "meanwhile"))
    mortal_redis.thaw()
    await published(queue, Task("job", "after"))
    assert (await taking).id in {"after", "meanwhile"}, "what was sent to a frozen server may arrive after all"


async def test_a_queue_without_redis_waits_and_closes(queue, mortal_redis):
    mortal_redis.signal(signal.SIGKILL)
    with pytest.raises(QueueUnavailable):
        await queue.depth()
    assert await queue.take(0.6) is None
    async with asyncio.timeout(SOON):
        await queue.close()
    assert await queue.take(60) is None


async def test_after_a_failover_the_sentinels_new_master_is_used_by_all(sentinel_server, open_queue):
    queue = open_queue(sentinel_server)
    await published(queue, Task("job", "before"))
    assert (await taken(queue)).id == "before"
    taking = asyncio.create_task(taken(queue))
    old = sentinel_server.master()
    old.signal(signal.SIGKILL)
    await published(queue, Task("job", str(uuid.uuid4())))
    assert await taking
    assert sentinel_server.master() is not old
