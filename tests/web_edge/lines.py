"""What a process would write to its standard output, for tests to read."""

import json
import logging
from typing import Any

from bandstand.observability.logging import JsonFormatter


class Lines(logging.Handler):
    """Keeps each line as it would be written."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.raw: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.raw.append(self.format(record))

    @property
    def access(self) -> list[dict[str, Any]]:
        """The access lines, parsed."""
        return [line for line in map(json.loads, self.raw) if line["event"] == "request.answered"]
