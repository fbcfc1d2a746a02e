"""What the suites in Python share: counted checks, waiting for a condition, processes that do not outlive their suite."""
import contextlib
import os
import signal
import subprocess
import sys
import time

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 0
URL = f"redis://127.0.0.1:{PORT}/0"
# A suite that hangs ends with a traceback of where it does, and takes its processes along.
SECONDS_MAX = 150

count = 0


def eq(got, wanted, what):
    global count
    count += 1
    if got != wanted:
        raise SystemExit(f"{what}: got {got!r}, wanted {wanted!r}")


def raises(error, act, what):
    global count
    count += 1
    try:
        got = act()
    except error as raised:
        return raised
    raise SystemExit(f"{what}: got {got!r}, wanted {error.__name__}")


def until(condition, what, seconds=60):
    """Waits until the condition holds, and tells what it was then."""
    end = time.monotonic() + seconds
    while not (got := condition()):
        if time.monotonic() > end:
            raise SystemExit(f"waited in vain: {what}")
        time.sleep(0.02)
    return got


def _too_long(_signal, _frame):
    raise TimeoutError(f"not done in {SECONDS_MAX} seconds")


signal.signal(signal.SIGALRM, _too_long)
signal.alarm(SECONDS_MAX)


@contextlib.contextmanager
def process(arguments, log):
    """A process in a group of its own. At the end nothing is left of the group."""
    env = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.abspath(__file__))}
    with open(log, "ab") as out:
        child = subprocess.Popen(
            arguments, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    try:
        yield child
    except BaseException:
        with open(log, errors="replace") as text:
            sys.stderr.write(text.read())
        raise
    finally:
        _end_group(child)


def _end_group(child):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()

    def is_gone():
        try:
            os.killpg(child.pid, signal.SIGKILL)
            return False
        except ProcessLookupError:
            return True
    until(is_gone, "all processes of the group end", 10)


def stop(child, what):
    """Asks a process to end, and sees that its whole group does."""
    child.terminate()
    eq(child.wait(timeout=60), 0, f"{what} ends")


def passed():
    print(f"{count} checks passed")
