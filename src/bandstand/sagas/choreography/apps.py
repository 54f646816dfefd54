"""The Django app: connects choreographies with their events, offers the loop and the checks; starts nothing."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from django.apps import AppConfig

if TYPE_CHECKING:
    from bandstand.lifecycle import Loop

__all__ = ["ChoreographyApp"]


class ChoreographyApp(AppConfig):
    """The journeys that one service watches."""

    name = "bandstand.sagas.choreography"
    label = "bandstand_choreography"
    verbose_name = "Choreographies"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Let each choreography, declared already or later, be moved by its events."""
        from bandstand.lifecycle import register_loop_family  # noqa: PLC0415 - Django's rule for `ready`
        from bandstand.sagas.choreography import checks  # noqa: F401, PLC0415 - registers them
        from bandstand.sagas.choreography.consuming import connect  # noqa: PLC0415 - as above
        from bandstand.sagas.choreography.declaration import choreographies  # noqa: PLC0415 - as above

        choreographies.listen(connect)
        register_loop_family("choreographies", _loops)


def _loops() -> "Mapping[str, Callable[[], Loop]]":
    """The loop, where there is something to watch."""
    from bandstand.sagas.choreography.declaration import choreographies  # noqa: PLC0415
    from bandstand.sagas.choreography.loop import WatchLoop  # noqa: PLC0415 - only a process that runs it needs it

    return {WatchLoop.name: WatchLoop} if any(True for _ in choreographies) else {}
