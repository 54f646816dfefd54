"""Run every test: the library's in one process, each service's in its own (`python -m tests [pytest arguments]`)."""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
SERVICES = sorted(path.parent for path in (ROOT / "services").glob("*/manage.py"))


def run(title: str, arguments: list[str], settings: str) -> bool:
    """Run pytest for one suite and say how it went."""
    started = time.monotonic()
    print(f"== {title}", flush=True)
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": settings, "SERVICE_ENVIRONMENT": "test"}
    command = [sys.executable, "-m", "pytest", "-q", *arguments, *sys.argv[1:]]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    print(
        f"== {title}: {'passed' if done.returncode == 0 else 'FAILED'} in {time.monotonic() - started:.0f} s",
        flush=True,
    )
    return done.returncode == 0


def main() -> int:
    """Run the suites one after another; the library first, the fleet last."""
    slow = ["fleet", "security", "seed"]
    quick = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "tests").iterdir()) if _holds_tests(path, slow)]
    passed = [run("library", quick, "tests.project.settings")]
    passed += [
        run(service.name, [f"services/{service.name}/tests"], f"{service.name}.settings") for service in SERVICES
    ]
    passed.append(
        run("seeds, fleet and attacks", ["tests/seed", "tests/fleet", "tests/security"], "tests.project.settings")
    )
    return 0 if all(passed) else 1


def _holds_tests(path: Path, slow: list[str]) -> bool:
    return path.is_dir() and path.name not in slow and any(path.rglob("test_*.py"))


if __name__ == "__main__":
    sys.exit(main())
