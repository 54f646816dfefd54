"""Run the benchmarks one after another: `python -m benchmarks [name …]`; results go to `benchmarks/results/`.

Nothing else should run meanwhile. Peers come with the dependency group `bench`, or are installed by the scripts that
compare with them, in throw-away folders.
"""

import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    """Run the named benchmarks, or all; 1 when one of them failed."""
    scripts = {path.stem.removeprefix("bench_"): path for path in sorted(HERE.glob("bench_*.py"))}
    wanted = sys.argv[1:] or list(scripts)
    unknown = [name for name in wanted if name not in scripts]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; there are: {', '.join(scripts)}", file=sys.stderr)
        return 2
    failed = []
    for name in wanted:
        print(f"== {name}", flush=True)
        started = time.monotonic()
        done = subprocess.run([sys.executable, "-m", f"benchmarks.bench_{name}"], cwd=HERE.parent, check=False)
        print(f"== {name}: {'done' if done.returncode == 0 else 'FAILED'} in {time.monotonic() - started:.0f} s")
        if done.returncode:
            failed.append(name)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
