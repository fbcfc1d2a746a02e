"""Tasks of Celery, with Redis as the broker and for the results."""
import os
import time

import redis
from celery import Celery

URL = os.environ["SUITE_URL"]
# Seconds after which a task that was given to a worker and not acknowledged counts as lost.
VISIBLE_AFTER = 2
app = Celery("suite", broker=URL, backend=URL)
app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": VISIBLE_AFTER},
    result_expires=600,
    task_track_started=True,
    worker_prefetch_multiplier=1,
)


def client():
    return redis.Redis.from_url(URL)


@app.task
def add(x, y):
    return x + y


@app.task
def total(numbers):
    return sum(numbers)


@app.task(bind=True, max_retries=3)
def flaky(self, key, failures):
    """Fails so many times."""
    if client().incr(key) <= failures:
        raise self.retry(countdown=0, exc=ValueError("not yet"))
    return self.request.retries


@app.task
def fail(text):
    raise RuntimeError(text)


@app.task
def forget(key):
    client().incr(key)


@app.task(ignore_result=True)
def remember(text):
    client().rpush("remembered", text)


@app.task(acks_late=True, reject_on_worker_lost=True)
def outlive(key):
    """Waits without end the first time, and is done at once the second."""
    if client().incr(key) == 1:
        while True:
            time.sleep(1)
    return "done"
