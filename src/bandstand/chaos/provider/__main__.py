"""`python -m bandstand.chaos.provider --host 127.0.0.1 --port 0 --ledger FILE`: serve until SIGTERM."""

import argparse
import logging
import signal
import sys
import threading
from datetime import timedelta
from pathlib import Path

from bandstand.chaos.provider.ledger import Ledger, LedgerDamaged, LedgerInUse
from bandstand.chaos.provider.operations import Delays, Provider
from bandstand.chaos.provider.server import Server


def main() -> int:
    """Recover the ledger, serve, drain on SIGTERM or SIGINT. Exit 1 when the ledger fails, 2 when it is unusable."""
    options = _options()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    delays = Delays(slow=timedelta(seconds=options.slow_seconds), late=timedelta(seconds=options.late_seconds))
    stopping, broken = threading.Event(), threading.Event()

    def on_broken() -> None:
        broken.set()
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        provider = Provider(Ledger(options.ledger), delays=delays)
        server = Server((options.host, options.port), provider, on_broken=on_broken)
    except (LedgerInUse, LedgerDamaged, OSError) as error:
        sys.stderr.write(f"provider: {error}\n")
        return 2
    provider.start()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"{server.url}\n")
    sys.stdout.flush()
    stopping.wait()
    server.drain(timeout=10)
    if broken.is_set():
        return 1
    provider.stop()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bandstand.chaos.provider", description="Simulate a payment provider."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free port; the URL is printed")
    parser.add_argument("--ledger", type=Path, required=True, help="the append-only file of everything charged")
    parser.add_argument("--slow-seconds", type=float, default=5.0, help="how long tok_slow takes")
    parser.add_argument("--late-seconds", type=float, default=20.0, help="when tok_late is executed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
