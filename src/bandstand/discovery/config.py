"""The section `DISCOVERY`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

__all__ = ["DiscoveryConfig"]


@dataclass(frozen=True, kw_only=True)
class DiscoveryConfig:
    """Where addresses come from. With a registry file, `services` serves for what the file does not name."""

    section: ClassVar[str] = "DISCOVERY"

    registry_file: Path | str = ""
    services: Mapping[str, str | Iterable[str]] = field(default_factory=dict)
    """Service to base URL, or to several."""
