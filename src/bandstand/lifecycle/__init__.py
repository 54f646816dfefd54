"""Start order, work loops, drain and stop. Nothing here runs before somebody calls `start_loops`."""

from bandstand.lifecycle.draining import begin_drain, end_drain, is_draining
from bandstand.lifecycle.loops import Loop, register_loop, register_loop_family, registered_loops
from bandstand.lifecycle.worker import Worker, name_thread, start_loops

__all__ = [
    "Loop",
    "Worker",
    "begin_drain",
    "end_drain",
    "is_draining",
    "name_thread",
    "register_loop",
    "register_loop_family",
    "registered_loops",
    "start_loops",
]
