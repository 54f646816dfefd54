"""Events at a later moment, and what is done at regular ones."""

from bandstand.events.scheduling.cron import every
from bandstand.events.scheduling.delayed import withdraw

__all__ = ["every", "withdraw"]
