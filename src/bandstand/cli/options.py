"""Options that every verb shares, and what they select: a manifest and a data folder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from bandstand.cli.failures import Exit, Failure
from bandstand.config import environment
from bandstand.fleet.control import NotRunning, ask_launcher
from bandstand.fleet.layout import DataFolder
from bandstand.fleet.manifest import Fleet, find_manifest, read_manifest

__all__ = ["Selection", "fleet_options", "json_option", "profile_option", "question"]

F = TypeVar("F", bound=Callable[..., Any])

profile_option = click.option(
    "--profile", default="", metavar="NAME", help="With the servers of this profile of fleet.toml."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON for machines.")


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The fleet that a verb is about."""

    data_path: Path | None
    manifest: Path | None

    @property
    def data(self) -> DataFolder:
        """The data folder: `--data`, else `.bandstand` beside the manifest."""
        return DataFolder(self.data_path or find_manifest(Path.cwd()).parent / ".bandstand")

    @property
    def outer(self) -> dict[str, str]:
        """The environment of the launcher: `.env` beside the manifest, under this process's environment."""
        return environment(self.fleet.root / ".env")

    @property
    def fleet(self) -> Fleet:
        """The manifest: `--fleet`, else that of the fleet running on the data folder, else the nearest one."""
        return read_manifest(self.manifest or self._running_manifest() or find_manifest(Path.cwd()))

    def _running_manifest(self) -> Path | None:
        state = DataFolder(self.data_path).read_state() if self.data_path else None
        return Path(state["fleet"]) if state else None


def fleet_options(command: F) -> F:
    """Add `--data` and `--fleet`; the verb gets one `selection`."""

    def wrapped(data: Path | None, fleet: Path | None, **arguments: Any) -> Any:
        return command(selection=Selection(data_path=data or _beside(fleet), manifest=fleet), **arguments)

    wrapped.__doc__ = command.__doc__
    wrapped.__name__ = command.__name__
    wrapped.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    path = click.Path(path_type=Path)
    wrapped = click.option("--fleet", type=path, help="The manifest; default: the nearest fleet.toml.")(wrapped)
    return click.option("--data", type=path, help="The data folder; default: .bandstand beside fleet.toml.")(wrapped)  # type: ignore[return-value]


def _beside(manifest: Path | None) -> Path | None:
    return manifest.absolute().parent / ".bandstand" if manifest else None


def question(selection: Selection, text: dict[str, Any], *, timeout: float = 10.0) -> dict[str, Any]:
    """Ask the running launcher. Ends the verb with code 3 when none runs, 4 when it does not answer."""
    try:
        answer = ask_launcher(selection.data, text, timeout=timeout)
    except NotRunning as error:
        raise Failure(f"{error}. Start it with `bandstand up`.", Exit.NOT_FOUND) from None
    except TimeoutError:
        raise Failure(f"the launcher did not answer within {timeout:g} s", Exit.UNHEALTHY) from None
    if "error" in answer:
        raise Failure(answer["error"], Exit.NOT_FOUND if answer.get("unknown") else Exit.FAILED)
    return answer
