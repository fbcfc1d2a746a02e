"""The lock of redis-py: who holds it, for how long, and who may give it back."""
import threading
import time

import redis
from redis.exceptions import LockError, LockNotOwnedError

from checks import PORT, eq, passed, raises, until


def connect():
    return redis.Redis(port=PORT)


r = connect()


def free_or_not():
    lock = r.lock("one", timeout=30)
    eq(lock.acquire(), True, "a free lock")
    eq((lock.locked(), lock.owned()), (True, True), "held, and by whom")
    eq(29_000 < r.pttl("one") <= 30_000, True, "its time")
    other = connect().lock("one", timeout=30)
    eq(other.acquire(blocking=False), False, "a lock that is held")
    begun = time.monotonic()
    eq(other.acquire(blocking_timeout=0.2), False, "waiting for a lock that stays held")
    eq(time.monotonic() - begun >= 0.1, True, "it was waited for")
    eq(other.owned(), False, "held by somebody else")
    raises(LockError, other.release, "releasing what was not acquired")
    eq(lock.release(), None, "release")
    eq((lock.locked(), r.exists("one")), (False, 0), "free again")
    raises(LockError, lock.release, "releasing twice")


def another_token():
    lock = r.lock("two", timeout=30)
    eq(lock.acquire(token="mine"), True, "acquire with a token")
    eq(r.get("two"), b"mine", "the token is the value")
    thief = connect().lock("two", timeout=30)
    for act in (thief.release, lambda: thief.extend(5), thief.reacquire):
        thief.local.token = b"yours"
        raises(LockNotOwnedError, act, "by another token")
    eq(r.get("two"), b"mine", "still held")
    lock.release()


def longer():
    lock = r.lock("three", timeout=10)
    lock.acquire()
    eq(lock.extend(10), True, "extend")
    eq(19_000 < r.pttl("three") <= 20_000, True, "time was added")
    eq(lock.extend(5, replace_ttl=True), True, "extend to")
    eq(4_000 < r.pttl("three") <= 5_000, True, "time was replaced")
    eq(lock.reacquire(), True, "reacquire")
    eq(9_000 < r.pttl("three") <= 10_000, True, "time begins anew")
    lock.release()
    forever = r.lock("three")
    forever.acquire()
    eq(r.pttl("three"), -1, "no time")
    raises(LockError, lambda: forever.extend(5), "extending a lock without time")
    forever.release()


def expiry():
    lock = r.lock("four", timeout=0.1)
    lock.acquire()
    heir = connect().lock("four", timeout=30, sleep=0.01)
    eq(heir.acquire(blocking_timeout=30), True, "acquired when the first one's time is over")
    eq((lock.owned(), heir.owned()), (False, True), "who holds it then")
    raises(LockNotOwnedError, lambda: lock.extend(5), "extending too late")
    raises(LockNotOwnedError, lock.release, "releasing too late")
    heir.release()
    with r.lock("four", timeout=0.05, raise_on_release_error=False):
        until(lambda: not r.exists("four"), "the lock expires while it is held")


def one_after_the_other():
    inside, seen, total = [], [], 8

    def work(number):
        client = connect()
        for _ in range(5):
            with client.lock("five", timeout=30, sleep=0.005):
                inside.append(number)
                seen.append(len(inside))
                value = int(client.get("sum") or 0)
                client.set("sum", value + 1)
                inside.remove(number)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(total)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eq(set(seen), {1}, "one at a time")
    eq(r.get("sum"), b"40", "no change was lost")


free_or_not()
another_token()
longer()
expiry()
one_after_the_other()
eq(r.dbsize(), 1, "no lock is left")
passed()
