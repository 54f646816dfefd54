"""How a verb ends: exit codes, and one clear message instead of a traceback."""

import sys
import tempfile
import traceback
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import Any

import click

from bandstand.config import ConfigurationError

__all__ = ["Exit", "Failure", "run_guarded"]


class Exit(IntEnum):
    """The exit codes of every verb."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    UNHEALTHY = 4
    INTERRUPTED = 130


class Failure(click.ClickException):
    """End the verb with a *message* that says what happened and what to do."""

    def __init__(self, message: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.exit_code = int(code)  # type: ignore[misc]  # click declares it for the class, and reads the instance


def run_guarded(work: Callable[[], Any], *, debug: bool) -> int:
    """Do *work* and return the exit code; every failure ends in one message on stderr."""
    try:
        result = work()
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except BrokenPipeError:  # the reader of our output left, as `head` does
        sys.stdout = None
        return Exit.OK
    except ConfigurationError as error:
        click.echo(f"Error: {error}", err=True)
        return Exit.USAGE
    except Exception as error:  # noqa: BLE001 - the last resort of a command line
        return _unexpected(error, debug=debug)
    return result if isinstance(result, int) else Exit.OK


def _unexpected(error: Exception, *, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
        return Exit.FAILED
    with tempfile.NamedTemporaryFile("w", prefix="bandstand-", suffix=".txt", delete=False, encoding="utf-8") as file:
        file.writelines(traceback.format_exception(error))
    shown = str(error) or type(error).__name__
    click.echo(
        f"Error: {shown}\nThis was not expected. The traceback is in {Path(file.name)}; --debug shows it.", err=True
    )
    return Exit.FAILED
