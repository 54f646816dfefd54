"""The body of every service's `manage.py`."""

import sys

from bandstand.config import ConfigurationError
from bandstand.config.environment import default_to
from bandstand.service.lean import leave_postgresql_out

__all__ = ["main"]


def main(settings_module: str) -> None:
    """Run the management command of the command line; a wrong configuration ends in one message, not in a traceback."""
    default_to("DJANGO_SETTINGS_MODULE", settings_module)
    from django.core.management import execute_from_command_line  # noqa: PLC0415 - after the settings are named

    try:
        leave_postgresql_out()
        execute_from_command_line(sys.argv)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
