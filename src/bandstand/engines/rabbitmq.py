"""RabbitMQ from the system's packages, with a node, a cookie and an epmd of its own."""

import os
from pathlib import Path
from typing import NoReturn

from bandstand.engines.base import Absent, Engine
from bandstand.engines.ports import free_ports
from bandstand.service.processes import die_with_parent

__all__ = ["RabbitMQ"]

_SERVER = "rabbitmq-server"

_CONFIGURATION = """\
listeners.tcp.default = 127.0.0.1:{port}
log.console = true
log.console.level = warning
vm_memory_high_watermark.absolute = 512MB
disk_free_limit.absolute = 64MB
raft.wal_max_size_bytes = 33554432
"""


class RabbitMQ(Engine):
    """One node without plugins. Its Erlang cookie lies in its folder, and nothing of it outlives it."""

    name = "rabbitmq"
    question = b"AMQP\x00\x00\x09\x01"
    welcome = b"\x01\x00\x00"  # a method on channel 0

    def binary(self) -> Path:
        """The server's own script: Debian puts one on PATH that insists on the user `rabbitmq`."""
        for folder in filter(None, os.get_exec_path()):
            for place in (Path(folder), Path(folder).parent / "sbin"):  # an ordinary user has no sbin on PATH
                if (place / _SERVER).is_file():
                    return (place / _SERVER).resolve().parent / _SERVER
        raise Absent("RabbitMQ is not installed: apt-get install rabbitmq-server")

    def become(self, folder: Path, port: int) -> NoReturn:
        """Recover the queues of an earlier run, then serve."""
        binary = str(self.binary())
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "rabbitmq.conf").write_text(_CONFIGURATION.format(port=port))
        (folder / "environment").touch()  # instead of the system's, which would add its own
        names_port, distribution_port = free_ports(2)
        settings = {"NODENAME": "bandstand@localhost", "DIST_PORT": distribution_port, "LOGS": "-"}
        places = {
            "CONFIG_FILE": folder / "rabbitmq.conf",
            "CONF_ENV_FILE": folder / "environment",
            "ENABLED_PLUGINS_FILE": folder / "plugins",
            "LOG_BASE": folder / "log",
            "MNESIA_BASE": folder / "mnesia",
        }
        environment = {f"RABBITMQ_{name}": str(value) for name, value in {**settings, **places}.items()} | {
            "ERL_EPMD_PORT": str(names_port),
            "ERL_FLAGS": "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}",
            "HOME": str(folder),
            "PATH": os.pathsep.join(os.get_exec_path()),
            "RUNNING_UNDER_SYSTEMD": "true",  # the script then becomes the server instead of waiting for it
        }
        _start_name_server(names_port, environment)
        os.execve(binary, [binary], environment)  # noqa: S606 - a program, not a shell

    def url(self, port: int) -> str:
        """The default virtual host, as the default user."""
        return f"amqp://guest:guest@127.0.0.1:{port}/"


def _start_name_server(port: int, environment: dict[str, str]) -> None:
    """Run an epmd beside this process, for as long as it lives: the one that Erlang would start stays behind."""
    parent = os.getpid()
    if os.fork() == 0:
        try:
            die_with_parent(parent)
            os.execvpe("epmd", ["epmd", "-address", "127.0.0.1", "-port", str(port)], environment)  # noqa: S606, S607 - a program, not a shell; PATH knows it
        finally:
            os._exit(1)
