"""`bandstand audit`."""

from datetime import timedelta
from pathlib import Path

import click

from bandstand.chaos.audit import (
    FactsUnreadable,
    Report,
    as_json,
    as_text,
    audit_at_rest,
    read_consumers,
    read_journal,
)
from bandstand.cli.failures import Exit, Failure
from bandstand.cli.options import Selection, fleet_options, json_option, question
from bandstand.cli.output import print_json, say

__all__ = ["audit", "command"]

_FILE = click.Path(path_type=Path)


@click.command("audit")
@fleet_options
@json_option
@click.option("--wait", default=0.0, type=click.FloatRange(min=0), help="Seconds to wait until nothing is under way.")
@click.option("--journal", type=_FILE, help="A client's journal, to hold against the shop.")
@click.option("--expect-dead", default=0, type=click.IntRange(min=0), help="How many dead letters there should be.")
@click.option("--contracts", type=_FILE, help="The folder of consumers.json; default: contracts beside fleet.toml.")
def command(
    selection: Selection, as_json: bool, wait: float, journal: Path | None, expect_dead: int, contracts: Path | None
) -> int:
    """Check the shop's invariants on its databases and at the payment provider.

    Exit code 1 when one of them does not hold, 4 when the fleet did not come to rest in time.
    """
    status = question(selection, {"do": "status"})
    try:
        report = audit_at_rest(
            status,
            wait=timedelta(seconds=wait),
            consumers=read_consumers((contracts or selection.fleet.root / "contracts") / "consumers.json"),
            journal=read_journal(journal) if journal else None,
            expected_dead=expect_dead,
        )
    except FactsUnreadable as error:
        raise Failure(str(error), Exit.USAGE) from error
    _show(report, for_machines=as_json)
    if report.holds:
        return Exit.OK
    return Exit.FAILED if report.is_quiescent else Exit.UNHEALTHY


def _show(report: Report, *, for_machines: bool) -> None:
    if for_machines:
        print_json(as_json(report))
        return
    for line in as_text(report):
        say(line)


audit = command
