"""The consumer of a trial. To be imported when Django is set up."""

from pathlib import Path

from django.db import connection

from bandstand import clock
from bandstand.events import consumer
from tests.trials.facts import FactNoted
from tests.trials.scene import Scene, stumbles

__all__ = ["declare"]


class Indigestible(Exception):
    """The consumer cannot apply this fact."""


def declare(scene: Scene) -> None:
    """Consume facts as *scene* has it."""
    stumbled = Path(scene.folder) / "stumbled"
    stumbled.mkdir(exist_ok=True)

    def mirror_fact(event: FactNoted, envelope: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO effect (number, subject) VALUES (%s, %s)", (event.number, event.subject))
        clock.sleep(scene.dwell)
        if scene.is_poisoned(event.number):
            raise Indigestible(f"{event.number} is poisoned")
        if stumbles(event.number) and _is_first_time(stumbled / str(event.number)):
            raise Indigestible(f"{event.number} fails once")

    consumer(FactNoted)(mirror_fact)


def _is_first_time(marker: Path) -> bool:
    """The marker outlives the transaction and the process."""
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
