"""The table of verbs. Their modules are imported on use, so that `bandstand --help` is as fast as Python starts."""

import sys
from difflib import get_close_matches
from importlib import import_module
from typing import Any, NoReturn

import click

from bandstand.cli.failures import run_guarded

__all__ = ["bandstand", "main"]

# verb → (module in this package, what it does); the common ones first.
_COMMON = {
    "up": ("up", "Start the fleet and keep it running until Ctrl-C."),
    "down": ("down", "Drain and stop the fleet."),
    "status": ("status", "Show every process of the fleet."),
    "logs": ("logs", "Show, or follow, what the processes write."),
    "restart": ("restart", "Replace a service's processes without losing a request."),
    "reload": ("reload", "Follow a changed fleet.toml without a restart."),
    "demo": ("demo", "Bring up a fleet, place orders through it, check it, take it down."),
}
_OTHER = {
    "audit": ("audit", "Check the invariants of the shop's databases."),
    "chaos": ("chaos", "Break things on purpose."),
    "check": ("check", "Check fleet.toml and every service's configuration."),
    "choreographies": ("choreographies", "List, show or draw journeys made of events."),
    "config": ("config", "Show the configuration of a service, secrets masked."),
    "contracts": ("contracts", "Write or check what the services promise one another."),
    "dlq": ("dlq", "List, show, replay, edit or discard dead letters."),
    "events": ("events", "Watch events, publish one by hand, see how far behind everything is."),
    "doctor": ("doctor", "Check this machine for what a fleet needs."),
    "mailbox": ("mailbox", "List and show the mails that the shop sent."),
    "sagas": ("sagas", "List sagas and why they wait, show one, and act on it."),
    "shop": ("shop", "Fill the reference shop."),
    "tasks": ("tasks", "List, show, retry or discard tasks."),
}

_EPILOG = """\b
Examples:
  bandstand up                     the whole shop on http://127.0.0.1:8000
  bandstand status --json          what runs, for machines
\b
Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 not running or
not found, 4 unhealthy or out of time, 130 interrupted.
Next step: `bandstand up`, then `bandstand demo` in a second terminal.
"""


class _Verbs(click.Group):
    """Loads a verb's module when the verb is asked for, and suggests the right word for a misspelt one."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return [*_COMMON, *_OTHER]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        entry = {**_COMMON, **_OTHER}.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = import_module(f"bandstand.cli.{entry[0]}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            close = get_close_matches(args[0], self.list_commands(ctx), n=1)
            hint = f"Did you mean {close[0]!r}?" if close else "`bandstand --help` lists the verbs."
            raise click.UsageError(f"{error.message} {hint}", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for title, verbs in (("Common verbs", _COMMON), ("Other verbs", _OTHER)):
            with formatter.section(title):
                formatter.write_dl([(verb, text) for verb, (_, text) in verbs.items()])


@click.group(cls=_Verbs, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of an unexpected error.")
@click.option("--no-color", is_flag=True, help="No colours; NO_COLOR and TERM=dumb do the same.")
@click.version_option(package_name="bandstand", message="%(version)s")
@click.pass_context
def bandstand(ctx: click.Context, /, **flags: bool) -> None:
    """Run a fleet of Django services on this machine, behind a real gateway."""
    ctx.obj = flags
    if flags["no_color"]:
        ctx.color = False


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code; never shows a bare traceback."""
    words: list[str] = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]

    def run() -> Any:
        return bandstand.main(words, prog_name="bandstand", standalone_mode=False)

    sys.exit(run_guarded(run, debug="--debug" in words))
