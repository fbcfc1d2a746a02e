"""`limits`: windows that are fixed, that move, and that slide, kept by scripts."""
import threading

from limits import RateLimitItemPerHour, RateLimitItemPerSecond
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter

from checks import URL, eq, passed, until

storage = RedisStorage(URL)
eq(storage.check(), True, "the storage is there")

for kind in (FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter):
    name, limiter = kind.__name__, kind(storage)
    limit = RateLimitItemPerHour(5)
    eq([limiter.test(limit, name) for _ in range(3)], [True] * 3, f"{name}: asking does not count")
    eq([limiter.hit(limit, name) for _ in range(7)], [True] * 5 + [False] * 2, f"{name}: five an hour")
    eq(limiter.test(limit, name), False, f"{name}: no room")
    eq(limiter.hit(limit, name, "other"), True, f"{name}: somebody else has room")
    stats = limiter.get_window_stats(limit, name)
    eq(stats.remaining, 0, f"{name}: nothing remains")
    eq(limiter.hit(RateLimitItemPerHour(10), f"{name} many", cost=8), True, f"{name}: eight at once")
    eq(limiter.hit(RateLimitItemPerHour(10), f"{name} many", cost=2), True, f"{name}: two more")
    eq(limiter.hit(RateLimitItemPerHour(10), f"{name} many", cost=3), False, f"{name}: three more are too many")
    limiter.clear(limit, name)
    eq(limiter.hit(limit, name), True, f"{name}: room after clearing")

    # Threads that compete get as much as there is, and no more.
    shared, got = RateLimitItemPerHour(50), []
    threads = [
        threading.Thread(target=lambda: got.extend(limiter.hit(shared, f"{name} shared") for _ in range(20)))
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eq((got.count(True), got.count(False)), (50, 50), f"{name}: fifty of a hundred")

    short = RateLimitItemPerSecond(2)
    until(lambda: not limiter.hit(short, f"{name} short"), f"{name}: two a second are soon used up")
    until(lambda: limiter.hit(short, f"{name} short"), f"{name}: there is room in the next second")

eq(storage.reset() > 0, True, "everything is forgotten")
eq(storage.storage.dbsize(), 0, "nothing is left")
passed()
