"""`bandstand status`."""

from typing import Any

import click

from bandstand.cli.failures import Exit
from bandstand.cli.options import Selection, fleet_options, json_option, question
from bandstand.cli.output import mebibytes, print_json, say, table

__all__ = ["command"]


@click.command("status")
@fleet_options
@json_option
def command(selection: Selection, as_json: bool) -> int:
    """Show every process of the fleet. Exit code 4 when one of them is not ready."""
    found = question(selection, {"do": "status"})
    processes = found["processes"]
    healthy = all(entry["state"] == "ready" for entry in processes) and all(
        service["url"] for service in found["services"].values()
    )
    if as_json:
        print_json(found)
    else:
        memory = question(selection, {"do": "memory"})
        columns = ("name", "role", "state", "pid", "ppid", "restarts", "started_at", "memory", "url")
        rows = [[_cell(entry, column, memory) for column in columns] for entry in processes]
        say(table([column.upper() for column in columns], rows))
        say(f"\ngateway {found['gateway']}   launcher pid {found['launcher']['pid']}   "
            f"memory {mebibytes(sum(memory.values()))}")  # fmt: skip
    return Exit.OK if healthy else Exit.UNHEALTHY


def _cell(entry: dict[str, Any], column: str, memory: dict[str, int]) -> Any:
    """A worker's memory is counted in its server's."""
    if column == "memory":
        return "" if entry["role"] == "worker" else mebibytes(memory[entry["name"]])
    return entry[column]
