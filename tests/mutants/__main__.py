"""Hold every check against every planted bug, and write the table of the documentation: `python -m tests.mutants`."""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bandstand.service.processes import wake_main_thread_on_signals
from tests.models.spin import FOLDER, explore_all
from tests.mutants.checks import CHECKS, Check
from tests.mutants.children import CHILDREN
from tests.mutants.declaration import Mutant
from tests.mutants.planted import MUTANTS
from tests.mutants.running import copied, plant, run
from tests.mutants.table import merged, rewrite, table

_VARIANTS = {
    "EARLYJOIN": ("WORKERS=1", "PARALLEL"),
    "NOHOLD": ("WORKERS=1", "FOREIGN"),
    "ONEQUERY": ("WORKERS=1", "FOREIGN"),
}
_USUAL = ("WORKERS=2",)


def main() -> int:
    """Run all of them, as many at once as there are processors; 1 when a bug is caught by nothing."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="BUG", help="only these, and leave the table as it is")
    parser.add_argument(
        "--checks",
        nargs="+",
        choices=[*CHECKS],
        default=[*CHECKS],
        help="hold only these against them; what the table says of others stays",
    )
    arguments = parser.parse_args()
    chosen: list[str] = arguments.names
    checks = {name: check for name, check in CHECKS.items() if name in arguments.checks}
    mutants = [mutant for mutant in MUTANTS if not chosen or mutant.name in chosen]
    with ThreadPoolExecutor(os.cpu_count()) as pool, CHILDREN.interruptible():
        found = pool.map(lambda mutant: _catches(mutant, checks), mutants)
        catches = {mutant.name: frozenset(by) for mutant, by in zip(mutants, found, strict=True)}
    if not chosen:
        catches, held = merged(catches, checks, CHECKS)
        rewrite(table(mutants, catches, {name: CHECKS[name] for name in held}))
    alive = [name for name, by in catches.items() if not by & CHECKS.keys()]
    print(f"caught by nothing: {', '.join(alive)}" if alive else f"all {len(mutants)} caught")
    return 1 if alive else 0


def _catches(mutant: Mutant, checks: Mapping[str, Check]) -> list[str]:
    started = time.monotonic()
    caught = [*_caught_by(mutant, checks)]
    print(f"{time.monotonic() - started:6.1f} s  {mutant.name}: {', '.join(caught) or 'nothing'}", flush=True)
    return caught


def _caught_by(mutant: Mutant, checks: Mapping[str, Check]) -> Iterator[str]:
    with copied() as folder:
        plant(mutant, folder)
        within_sight = {name: check for name, check in checks.items() if check.may_catch(mutant)}
        for name, check in within_sight.items():
            found = run(folder, _quickest_first(mutant, check), deadline_seconds=check.deadline_seconds)
            if found.is_caught:
                yield name
            elif found.fault:
                print(f"         {mutant.name}, {name}: {found.fault}", flush=True)
    if mutant.model and "spin" in checks and _is_refuted(mutant.model):
        yield "model"


def _quickest_first(mutant: Mutant, check: Check) -> list[str]:
    mine = mutant.caught_by
    rest = [path for path in check.selection if path != mine]
    return [mine, *rest] if mine.partition("::")[0] in check.selection else rest


def _is_refuted(option: str) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        return not explore_all(FOLDER / "sagas.pml", [*_VARIANTS.get(option, _USUAL), option], Path(folder)).holds


if __name__ == "__main__":
    wake_main_thread_on_signals()
    sys.exit(main())
