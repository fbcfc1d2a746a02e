"""Celery: a worker with two processes; results, retries, groups, chords, chains, remote control, and a worker that is killed."""
import os
import sys
import tempfile
import time

from checks import URL, eq, passed, process, raises, stop, until

os.environ["SUITE_URL"] = URL

from celery import chain, chord, group  # noqa: E402
from celery.result import AsyncResult  # noqa: E402

import celery_app as tasks  # noqa: E402

WAIT = 60


def worker(name):
    return process(
        [sys.executable, "-m", "celery", "-A", "celery_app", "worker", "--concurrency", "2", "--loglevel", "INFO",
         "--hostname", f"{name}@localhost", "--without-gossip", "--without-mingle"],
        os.path.join(folder, name),
    )


def results():
    eq(tasks.add.delay(2, 3).get(timeout=WAIT), 5, "a result")
    many = [tasks.add.delay(number, 1) for number in range(50)]
    eq([result.get(timeout=WAIT) for result in many], list(range(1, 51)), "fifty results")
    failed = tasks.fail.delay("no way")
    error = raises(RuntimeError, lambda: failed.get(timeout=WAIT), "a failure")
    eq((str(error), failed.state, "no way" in failed.traceback), ("no way", "FAILURE", True), "what failed")
    flaky = tasks.flaky.delay("tries", 2)
    eq((flaky.get(timeout=WAIT), tasks.client().get("tries")), (2, b"3"), "two retries")
    hopeless = tasks.flaky.delay("hopeless", 100)
    raises(ValueError, lambda: hopeless.get(timeout=WAIT), "more failures than retries")
    eq(tasks.client().get("hopeless"), b"4", "once and three retries")
    result = tasks.add.delay(1, 1)
    result.get(timeout=WAIT)
    eq(AsyncResult(result.id, app=tasks.app).result, 2, "a result by its ID")
    eq(0 < tasks.client().ttl(f"celery-task-meta-{result.id}") <= 600, True, "a result is forgotten later")
    result.forget()
    eq(tasks.client().exists(f"celery-task-meta-{result.id}"), 0, "a result is forgotten at once")


def later():
    asked = time.time()
    late = tasks.add.apply_async((20, 1), countdown=1)
    eq(late.get(timeout=WAIT), 21, "a task for later")
    eq(late.date_done.timestamp() - asked >= 1, True, "it was not done before its time")
    expired = tasks.remember.apply_async(("too late",), expires=-1)
    tasks.remember.delay("in time")
    until(lambda: tasks.client().llen("remembered"), "a task without a result")
    eq(tasks.client().lrange("remembered", 0, -1), [b"in time"], "a task whose time is over is not done")
    eq(expired.id is not None, True, "it was sent all the same")


def canvases():
    eq(group(tasks.add.s(n, n) for n in range(10))().get(timeout=WAIT), [2 * n for n in range(10)], "a group")
    eq(chain(tasks.add.s(1, 2), tasks.add.s(3), tasks.add.s(4))().get(timeout=WAIT), 10, "a chain")
    eq(chord((tasks.add.s(n, 1) for n in range(20)), tasks.total.s())().get(timeout=WAIT), 210, "a chord")
    nested = chain(group(tasks.add.s(n, 0) for n in range(5)), tasks.total.s(), tasks.add.s(90))
    eq(nested().get(timeout=WAIT), 100, "a chain of a group")
    broken = chord([tasks.add.s(1, 1), tasks.fail.s("one of them")], tasks.total.s())()
    error = raises(Exception, lambda: broken.get(timeout=WAIT), "a chord with a failure")
    eq("one of them" in str(error), True, "what failed in the chord")


def control():
    inspect = tasks.app.control.inspect(timeout=WAIT, limit=1)
    eq(inspect.ping(), {"first@localhost": {"ok": "pong"}}, "a ping")
    registered = tasks.app.control.inspect(timeout=WAIT, limit=1).registered()
    eq("celery_app.add" in registered["first@localhost"], True, "what the worker can do")
    answer = tasks.app.control.broadcast("pool_grow", {"n": 1}, reply=True, timeout=WAIT, limit=1)
    eq(list(answer[0]), ["first@localhost"], "the pool grows")
    doomed = tasks.forget.apply_async(("never",), countdown=3600)
    until(lambda: any(tasks.app.control.inspect(timeout=WAIT, limit=1).scheduled().values()), "it is scheduled")
    tasks.app.control.revoke(doomed.id, reply=True, timeout=WAIT, limit=1)
    until(lambda: doomed.id in tasks.app.control.inspect(timeout=WAIT, limit=1).revoked()["first@localhost"], "revoked")


def lost_and_found():
    """A worker is killed in the middle of a task; another one finds the task again."""
    with worker("second") as second:
        result = tasks.outlive.delay("attempts")
        until(lambda: tasks.client().get("attempts"), "the task begins")
        os.killpg(second.pid, 9)
        second.wait()
    eq(tasks.client().hlen("unacked"), 1, "the task is not acknowledged")
    # A worker looks for lost tasks when it starts, and not again for a long time.
    [(_, given)] = tasks.client().zrange("unacked_index", 0, -1, withscores=True)
    until(lambda: time.time() > given + tasks.VISIBLE_AFTER, "the task counts as lost")
    with worker("third") as third:
        eq(result.get(timeout=WAIT), "done", "the task is done by another worker")
        until(lambda: not tasks.client().exists("unacked"), "the task is acknowledged")
        stop(third, "the third worker")
    eq(tasks.client().get("attempts"), b"2", "it was begun twice")


with tempfile.TemporaryDirectory() as folder:
    with worker("first") as first:
        results()
        later()
        canvases()
        control()
        stop(first, "the first worker")
    eq(tasks.app.control.purge(), 1, "what the worker had but did not do is given back")
    lost_and_found()
eq(tasks.client().llen("celery"), 0, "no task is left")
passed()
