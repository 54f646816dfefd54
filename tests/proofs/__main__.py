"""The long proofs, one after another: `make prove`, or some of them: `python -m tests.proofs outage`."""

import argparse
import subprocess
import sys
import time

PROOFS = {
    "kills": ("tests.proofs.kills",),
    "mutants": ("tests.mutants",),
    "outage": ("tests.proofs.outage",),
    "outage-silent": ("tests.proofs.outage", "--silent"),
}
"""Name -> module and its arguments. Each ends with 1 when a promise was broken."""


def main() -> int:
    """Run them to the end, whatever fails; 1 when any did."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of: {', '.join(PROOFS)}")
    chosen = parser.parse_args().names or [*PROOFS]
    unknown = [name for name in chosen if name not in PROOFS]
    if unknown:
        parser.error(f"there is no proof {', '.join(unknown)}; there are: {', '.join(PROOFS)}")
    failed = [name for name in chosen if not _holds(name)]
    print(f"failed: {', '.join(failed)}" if failed else f"{len(chosen)} held")
    return 1 if failed else 0


def _holds(name: str) -> bool:
    started = time.monotonic()
    print(f"== {name}", flush=True)
    module, *arguments = PROOFS[name]
    done = subprocess.run([sys.executable, "-m", module, *arguments], check=False)
    verdict = "held" if done.returncode == 0 else "FAILED"
    print(f"== {name}: {verdict} in {time.monotonic() - started:.0f} s", flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
