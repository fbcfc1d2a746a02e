"""Django: its cache on Redis, and sessions that live in it."""
import threading

import django
from django.conf import settings
from django.http import JsonResponse
from django.urls import path

from checks import URL, eq, passed, raises, until

settings.configure(
    ALLOWED_HOSTS=["testserver"],
    CACHES={
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": URL, "KEY_PREFIX": "app"},
        "sessions": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": URL.replace("/0", "/1")},
    },
    INSTALLED_APPS=["django.contrib.sessions"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="for this suite",
    SESSION_CACHE_ALIAS="sessions",
    SESSION_COOKIE_AGE=600,
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
)
django.setup()

from django.core.cache import cache, caches  # noqa: E402
from django.test import Client  # noqa: E402


def visit(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return JsonResponse({"visits": request.session["visits"]})


def log_in(request):
    request.session["user"] = "somebody"
    request.session.cycle_key()
    return JsonResponse({})


def leave(request):
    request.session.flush()
    return JsonResponse({})


urlpatterns = [path("visit", visit), path("log-in", log_in), path("leave", leave)]


def values():
    cache.set("text", "grüße", 100)
    cache.set("object", {"a": [1, 2, None], "b": b"\x00\xff"})
    cache.set("number", 41, None)
    eq((cache.get("text"), cache.get("nope", "default")), ("grüße", "default"), "get")
    eq(cache.get("object"), {"a": [1, 2, None], "b": b"\x00\xff"}, "an object")
    eq((cache.incr("number"), cache.decr("number", 2)), (42, 40), "incr and decr")
    raises(ValueError, lambda: cache.incr("nope"), "incr of nothing")
    eq((cache.add("number", 1), cache.add("new", 1)), (False, True), "add")
    eq(cache.get_or_set("made", lambda: "once", 100), "once", "get_or_set")
    eq(cache.set_many({f"k{n}": n for n in range(100)}, 100), [], "set_many")
    eq(cache.get_many(f"k{n}" for n in range(0, 200, 50)), {"k0": 0, "k50": 50}, "get_many")
    eq((cache.touch("text", 1000), cache.touch("nope", 1000)), (True, False), "touch")
    eq((cache.has_key("k1"), cache.delete("k1"), cache.has_key("k1")), (True, True, False), "delete")
    eq(cache.delete_many(["k2", "k3"]), None, "delete_many")
    cache.set("versioned", "old", version=1)
    eq((cache.incr_version("versioned"), cache.get("versioned", version=2)), (2, "old"), "versions")
    cache.set("short", "lived", 1)
    cache.set("dead", "at once", 0)
    eq(cache.get("dead"), None, "no time at all")
    until(lambda: cache.get("short") is None, "a value's time is over")


def competing():
    cache.set("counter", 0)
    threads = [threading.Thread(target=lambda: [cache.incr("counter") for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eq(cache.get("counter"), 200, "nothing is lost")


def sessions():
    one, other = Client(), Client()
    eq([one.get("/visit").json()["visits"] for _ in range(3)], [1, 2, 3], "a session goes on")
    eq(other.get("/visit").json(), {"visits": 1}, "another begins")
    store = caches["sessions"]
    before = one.session.session_key
    key = store.make_key("django.contrib.sessions.cache" + before)
    client = store._cache.get_client(key)
    eq(0 < client.ttl(key) <= 600, True, "its time")
    one.get("/log-in")
    after = one.session.session_key
    eq((before != after, one.session["user"], client.dbsize()), (True, "somebody", 2), "a new name for it")
    eq(one.get("/visit").json(), {"visits": 4}, "it goes on under the new name")
    client.delete(store.make_key("django.contrib.sessions.cache" + other.session.session_key))
    eq(other.get("/visit").json(), {"visits": 1}, "a session that was lost begins anew")
    one.get("/leave")
    eq(client.dbsize(), 1, "one that was left is gone")


values()
competing()
sessions()
cache.clear()
eq(cache.get("number"), None, "clear")
passed()
