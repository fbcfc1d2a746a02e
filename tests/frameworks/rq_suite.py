"""RQ: two workers that fork, one of them with the scheduler; results, retries, dependencies, registries, commands."""
import os
import sys
import tempfile
from datetime import timedelta

import redis
from rq import Queue, Retry, Worker
from rq.command import send_stop_job_command
from rq.job import Job, JobStatus

import rq_tasks as tasks
from checks import PORT, URL, eq, passed, process, stop, until

r = redis.Redis(port=PORT)
low, high = Queue("low", connection=r), Queue("high", connection=r)


def worker(name):
    rq = os.path.join(os.path.dirname(sys.executable), "rq")
    return process(
        [rq, "worker", "--url", URL, "--name", name, "--with-scheduler", "high", "low"], os.path.join(folder, name)
    )


def ends_as(job, status, what):
    until(lambda: job.get_status() in (JobStatus.FINISHED, JobStatus.FAILED, JobStatus.STOPPED), what)
    eq(job.get_status(), status, what)


def results():
    job = low.enqueue(tasks.add, 2, 3)
    ends_as(job, JobStatus.FINISHED, "a job")
    eq(job.return_value(), 5, "its result")
    many = [Queue.prepare_data(tasks.add, (number, 1)) for number in range(20)]
    jobs = high.enqueue_many(many)
    for number, job in enumerate(jobs):
        ends_as(job, JobStatus.FINISHED, "one of many")
        eq(job.return_value(), number + 1, "its result")
    eq({job.id for job in jobs} <= set(high.finished_job_registry.get_job_ids()), True, "all are known as finished")
    eq(Job.fetch(jobs[0].id, connection=r).return_value(), 1, "a job by its ID")


def failures():
    job = low.enqueue(tasks.flaky, 2, retry=Retry(max=3))
    ends_as(job, JobStatus.FINISHED, "a job that is tried again")
    eq((job.return_value(), r.get(f"tries:{job.id}")), ("at last", b"3"), "the third try")
    late = low.enqueue(tasks.flaky, 1, retry=Retry(max=1, interval=1))
    ends_as(late, JobStatus.FINISHED, "a job that is tried again later")
    eq(r.get(f"tries:{late.id}"), b"2", "the second try")
    failed = low.enqueue(tasks.fail)
    ends_as(failed, JobStatus.FAILED, "a job that fails")
    eq("no way" in failed.latest_result().exc_string, True, "why it failed")
    until(lambda: failed.id in low.failed_job_registry, "it is known as failed")
    low.failed_job_registry.requeue(failed.id)
    until(lambda: len(failed.results()) == 2, "it is tried again by hand")
    until(lambda: failed.id in low.failed_job_registry, "and fails again")


def dependencies():
    first = [low.enqueue(tasks.add, number, 0) for number in (1, 2, 3)]
    second = high.enqueue(tasks.sum_of_dependencies, depends_on=first)
    third = low.enqueue(tasks.sum_of_dependencies, depends_on=second)
    ends_as(third, JobStatus.FINISHED, "a job after others")
    eq((second.return_value(), third.return_value()), (6, 6), "what it made of their results")
    never = low.enqueue(tasks.add, 1, 1, depends_on=low.enqueue(tasks.fail))
    until(lambda: never.id in low.deferred_job_registry, "a job after one that fails")
    never.delete()


def later():
    job = low.enqueue_in(timedelta(seconds=2), tasks.add, 40, 2)
    eq(job.get_status(), JobStatus.SCHEDULED, "a job for later")
    ends_as(job, JobStatus.FINISHED, "it is done by and by")
    job.refresh()
    # Times of schedules are whole seconds.
    eq(job.started_at - job.created_at >= timedelta(seconds=1), True, "not before its time")
    cancelled = low.enqueue_in(timedelta(hours=1), tasks.add, 1, 1)
    cancelled.cancel()
    eq(cancelled.get_status(), JobStatus.CANCELED, "a job that is called off")


def commands():
    job = low.enqueue(tasks.wait_without_end)
    until(lambda: r.get("waiting"), "a job without end")
    send_stop_job_command(r, job.id)
    ends_as(job, JobStatus.STOPPED, "it is stopped")
    eq(sorted(worker.name for worker in Worker.all(connection=r)), ["one", "two"], "the workers")


with tempfile.TemporaryDirectory() as folder, worker("one") as one, worker("two") as two:
    results()
    failures()
    dependencies()
    later()
    commands()
    stop(one, "the first worker")
    stop(two, "the second worker")
    eq(Worker.all(connection=r), [], "no worker is left")
    eq((len(low), len(high)), (0, 0), "no job is left")
passed()
