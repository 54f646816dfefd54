"""Everything that can be checked without running a request: `python -m tests.check`."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
SERVICES = sorted(path.parent for path in (ROOT / "services").glob("*/manage.py"))


def commands() -> Iterator[tuple[str, list[str]]]:
    """Name each check and give its command."""
    yield "format", [f"{BIN}/ruff", "format", "--check", "--quiet", "."]
    yield "lint", [f"{BIN}/ruff", "check", "--quiet", "."]
    yield "types", [f"{BIN}/mypy", "src", *(f"services/{service.name}/{service.name}" for service in SERVICES)]
    yield "layers", [f"{BIN}/lint-imports"]
    yield "sizes", [sys.executable, "-m", "tests.architecture.sizes"]
    for service in SERVICES:
        manage = [sys.executable, f"services/{service.name}/manage.py"]
        yield f"{service.name}: system checks", [*manage, "check", "--fail-level", "WARNING"]
        yield f"{service.name}: migrations", [*manage, "makemigrations", "--check", "--dry-run"]
    yield "contracts", [f"{BIN}/bandstand", "contracts", "check"]


def main() -> int:
    """Run them all, print what failed, return 1 if anything did."""
    failed = []
    environment = {**os.environ, "SERVICE_ENVIRONMENT": "test"}
    for title, command in commands():
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        print(f"{'✓' if done.returncode == 0 else '✗'} {title}", flush=True)
        if done.returncode != 0:
            failed.append(title)
            print(done.stdout + done.stderr, flush=True)
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
