"""One HTTP client in a process of its own: answers `threads seconds` on its input with calls and CPU per call.

Every variant does the same job: a bearer token, correlation and trace headers out, the JSON of the answer decoded.
"""

import json
import sys
import threading
import time
from collections.abc import Callable

VARIANT, URL = sys.argv[1], sys.argv[2]
PATH = "/internal/v1/users/0198c0de-0000-7000-8000-000000000001/"
HEADERS = {
    "Authorization": "Bearer " + "x" * 420,
    "X-Correlation-ID": "6f1f4f3e-7a1c-4a53-9a53-2f2b7b8a4c11",
    "traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01",
}


def with_requests() -> Callable[[], object]:
    """The articles' transport: a session whose adapter retries."""
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util.retry import Retry

    session = requests.Session()
    retry = Retry(total=3, backoff_factor=1, status_forcelist=[429, 500, 502, 503, 504])
    session.mount("http://", HTTPAdapter(pool_maxsize=16, max_retries=retry))
    return lambda: session.get(URL + PATH, headers=HEADERS, timeout=5).json()


def with_urllib3() -> Callable[[], object]:
    """urllib3 alone, without retries, metrics or spans."""
    import urllib3

    pool = urllib3.PoolManager(maxsize=16, retries=False, timeout=5)
    return lambda: pool.request("GET", URL + PATH, headers=HEADERS).json()


def with_pyreqwest() -> Callable[[], object]:
    """pyreqwest alone, without retries, metrics or spans."""
    from datetime import timedelta

    from pyreqwest.client import SyncClientBuilder

    client = SyncClientBuilder().http1_only().timeout(timedelta(seconds=5)).pool_max_idle_per_host(16).build()
    return lambda: client.get(URL + PATH).headers(HEADERS).build().send().json()


def with_bandstand(transport: str) -> Callable[[], object]:
    """Our client with everything on: deadline, retries, discovery, a signed token, a span, a metric, a typed answer."""
    import msgspec
    from django.conf import settings

    from bandstand.auth.keys import generate_key

    settings.configure(
        BANDSTAND={
            "SERVICE": {"NAME": "orders"},
            "AUTH": {"SIGNING_KEY": json.dumps(generate_key())},
            "CLIENT": {"TRANSPORT": transport},
            "DISCOVERY": {"SERVICES": {"users": URL}},
        },
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    )
    import django

    django.setup()
    from bandstand.client import ServiceClient

    class State(msgspec.Struct):
        id: str
        is_active: bool

    users = ServiceClient("users")
    return lambda: users.get(PATH, into=State).data


def measure(call: Callable[[], object], threads: int, seconds: float) -> dict[str, float]:
    """Call from *threads* at once for a while."""
    counts = [0] * threads
    end = time.perf_counter() + seconds

    def work(number: int) -> None:
        while time.perf_counter() < end:
            call()
            counts[number] += 1

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    cpu, wall = time.process_time(), time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    total = sum(counts)
    took = time.perf_counter() - wall
    return {"cpu_us": (time.process_time() - cpu) / total * 1e6, "calls_per_second": total / took}


def main() -> None:
    """Serve the commands."""
    maker = {"requests": with_requests, "urllib3": with_urllib3, "pyreqwest": with_pyreqwest}.get(VARIANT)
    call = maker() if maker else with_bandstand(VARIANT.removeprefix("bandstand on "))
    for _ in range(50):
        call()
    print("ready", flush=True)
    for line in sys.stdin:
        threads, seconds = line.split()
        print(json.dumps(measure(call, int(threads), float(seconds))), flush=True)


if __name__ == "__main__":
    main()
