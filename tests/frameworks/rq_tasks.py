"""What workers of RQ do."""
import time

from rq import get_current_job


def add(x, y):
    return x + y


def flaky(failures):
    """Fails so many times."""
    job = get_current_job()
    if job.connection.incr(f"tries:{job.id}") <= failures:
        raise ValueError("not yet")
    return "at last"


def fail():
    raise RuntimeError("no way")


def sum_of_dependencies():
    return sum(job.return_value() for job in get_current_job().fetch_dependencies())


def wait_without_end():
    get_current_job().connection.set("waiting", 1)
    while True:
        time.sleep(0.05)
