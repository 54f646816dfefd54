"""The real shop for the tests: its own fleet, customers that behave as a patient client does."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from bandstand.clock import monotonic, sleep, uuid7
from tests.fleet_unit.fleets import Fleet, until

ROOT = Path(__file__).parents[2]
FINAL = ("confirmed", "rejected", "cancelled")
DEMO = ("demo@example.com", "demo-Passw0rd!")
Reply = tuple[int, Any]


def product_id(number: int) -> str:
    """The id of `SKU-<number>` of the seed data."""
    return f"019b76da-a800-7000-8000-{number:012d}"


class Shop(Fleet):
    """The fleet of the repository's manifest on a folder of its own; *bus* is the one server of the profile for it."""

    def __init__(self, folder: Path, *, profile: str = "", bus: str = "", replicas: Mapping[str, int] | None = None):
        super().__init__(folder, "")
        self._profile = profile
        text = (ROOT / "fleet.toml").read_text().replace('folder = "', f'folder = "{ROOT}/')
        if bus:
            text = text.replace('["rabbitmq", "valkey"]', f'["{bus}"]')
        for service, count in (replicas or {}).items():
            text = text.replace(f"[services.{service}]\n", f"[services.{service}]\nreplicas = {count}\n")
        self.manifest = folder / "fleet.toml"
        self.manifest.write_text(text)

    def up(self, **env: str) -> None:
        """Bring it up and seed it; *env* is added to the launcher's environment."""
        done = self.run("up", "--detach", "--port", str(self.port), "--profile", self._profile, env=env)
        assert done.returncode == 0, done.stdout + done.stderr

    def set_env(self, service: str, **values: str) -> None:
        """Give *service*, and no other, these variables and let the running fleet follow."""
        entries = ", ".join(f'{name} = "{value}"' for name, value in values.items())
        kept = [line for line in self.manifest.read_text().splitlines() if not line.startswith("env = ")]
        place = kept.index(f"[services.{service}]") + 1
        kept.insert(place, f"env = {{ {entries} }}")
        self.manifest.write_text("\n".join(kept) + "\n")
        # A process that is told to die may do so while it starts: the fleet keeps the old one, and is asked again.
        until(lambda: self.run("reload").returncode == 0, seconds=30, what="reload")

    def audit(self, *, wait: int = 60, journal: Path | None = None) -> None:
        """Every invariant holds once nothing is under way, also against what a client wrote down."""
        heard = ["--journal", str(journal)] if journal else []
        done = self.run("audit", "--wait", str(wait), "--contracts", str(ROOT / "contracts"), *heard)
        assert done.returncode == 0, done.stdout + done.stderr

    def customer(self) -> "Customer":
        """Somebody signed in as the demonstration user."""
        customer = Customer(self.port)
        customer.sign_in(*DEMO)
        return customer


class Customer:
    """One client. `ask` gives what came back; `order` and `end_of` insist, as a good client does."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._token = ""

    def sign_in(self, email: str, password: str) -> None:
        """Get a token; later requests carry it."""
        status, body = self.insist("POST", "/auth/token/", {"email": email, "password": password})
        assert status == 200, body
        self._token = body["access"]

    def ask(self, method: str, path: str, body: Any = None, *, key: str = "") -> Reply:
        """One request; raises OSError or HTTPException when there was no answer."""
        headers = {"Content-Type": "application/json"}
        headers |= {"Authorization": f"Bearer {self._token}"} if self._token else {}
        headers |= {"Idempotency-Key": key} if key else {}
        connection = HTTPConnection("127.0.0.1", self._port, timeout=20)
        try:
            connection.request(method, f"/api/v1{path}", json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        return answer.status, json.loads(text) if text else None

    def insist(self, method: str, path: str, body: Any = None, *, key: str = "", seconds: float = 60) -> Reply:
        """Repeat a request until it is answered with something else than 5xx or 409 in progress."""
        end, last = monotonic() + seconds, (0, None)
        while monotonic() < end:
            try:
                last = self.ask(method, path, body, key=key)
            except (OSError, HTTPException):
                last = (0, None)
            if 0 < last[0] < 500 and not (
                last[0] == 409 and last[1]["error"]["details"].get("conflict") == "in_progress"
            ):
                return last
            sleep(0.05)
        raise AssertionError(f"{method} {path} had no answer in {seconds} s, at last {last}")

    def order(self, method: str = "tok_ok", *, product: int = 1, quantity: int = 1) -> Reply:
        """Place an order, with the same key until it is answered."""
        body = {"items": [{"product_id": product_id(product), "quantity": quantity}], "payment_method": method}
        return self.insist("POST", "/orders/", body, key=f"test-{uuid7()}")

    def end_of(self, order_id: str, *, seconds: float = 60, pause: float = 0.02) -> dict[str, Any]:
        """The order once its status is final; asked for after each *pause*, in seconds."""
        end = monotonic() + seconds
        while monotonic() < end:
            status, order = self.insist("GET", f"/orders/{order_id}/")
            assert status == 200, order
            if order["status"] in FINAL:
                found: dict[str, Any] = order
                return found
            sleep(pause)
        raise AssertionError(f"{order_id} is still {order['status']} after {seconds} s")

    def available(self, product: int) -> int:
        """How many units can be ordered."""
        status, body = self.insist("GET", f"/inventory/{product_id(product)}/")
        assert status == 200, body
        return int(body["available"])


class Crowd:
    """Customers that order and wait for the end, again and again; `acknowledged` are the ids they were given."""

    def __init__(self) -> None:
        self.acknowledged: list[str] = []
        self.failures: list[str] = []


@contextmanager
def crowd(
    shop: Shop, *, size: int = 3, methods: tuple[str, ...] = ("tok_ok", "tok_declined", "tok_lost")
) -> Iterator[Crowd]:
    """Let customers order until the block ends."""
    found, stop = Crowd(), threading.Event()

    def customer(number: int) -> None:
        try:
            client, turn = shop.customer(), 0
            while not stop.is_set():
                turn += 1
                status, body = client.order(methods[turn % len(methods)], product=number + 1)
                if status != 202:
                    found.failures.append(f"{status} {body}")
                    return
                found.acknowledged.append(body["id"])
                client.end_of(body["id"])
        except AssertionError as error:
            found.failures.append(str(error))

    threads = [threading.Thread(target=customer, args=(number,)) for number in range(size)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        stop.set()
        for thread in threads:
            thread.join()
