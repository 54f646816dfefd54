"""The edge behind the server it runs on: what only a real server shows."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bandstand.engines.ports import free_port

SERVER = """
import os, sys
from granian import Granian

def load(*_):
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.web_edge.server_settings"
    from django.core.wsgi import get_wsgi_application
    from bandstand.web.wsgi import application_wrapper
    return application_wrapper(get_wsgi_application())

if __name__ == "__main__":
    server = Granian("x", address="127.0.0.1", port=int(sys.argv[1]), interface="wsgi", log_enabled=False)
    server.serve(target_loader=load, wrap_loader=False)
"""
PATIENCE = 20


def wait_for(port: int) -> None:
    pause = threading.Event()
    for _ in range(PATIENCE * 20):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        pause.wait(0.05)
    raise TimeoutError


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    folder = tmp_path_factory.mktemp("granian")
    (folder / "serve.py").write_text(SERVER)
    port, log = free_port(), folder / "log"
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join((".", "src")), "HTTP_X_FORWARDED_FOR": "6.6.6.6"}
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, str(folder / "serve.py"), str(port)], env=variables, stdout=output, stderr=output
        )
        try:
            wait_for(port)
            yield port, log
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)


def ask(port: int, method: str, path: str, **options: object) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, **options)  # type: ignore[arg-type]
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def test_a_chunked_body_arrives_and_one_over_the_limit_is_refused(server: tuple[int, Path]) -> None:
    port, _ = server
    assert ask(port, "POST", "/body", body=iter([b"abc", b"def"]), encode_chunked=True)[2] == b"abcdef"
    status, headers, body = ask(port, "POST", "/body", body=iter([b"x" * 70_000] * 16), encode_chunked=True)
    assert status == 413
    assert json.loads(body)["error"]["correlation_id"] == headers["x-correlation-id"]


def test_the_servers_environment_is_no_part_of_a_request(server: tuple[int, Path]) -> None:
    port, _ = server
    seen = json.loads(ask(port, "GET", "/environment")[2])
    assert "HTTP_X_FORWARDED_FOR" not in seen
    assert "PATH" not in seen
    assert seen["REMOTE_ADDR"] == "127.0.0.1"


def test_probes_and_access_lines_work_behind_it(server: tuple[int, Path]) -> None:
    port, log = server
    assert ask(port, "GET", "/livez", headers={"Host": "10.0.0.7"})[0] == 200
    assert ask(port, "GET", "/ok", headers={"X-Correlation-ID": "order-12345678"})[0] == 200
    found = [json.loads(line) for line in log.read_text().splitlines() if "order-12345678" in line]
    assert [line["http.route"] for line in found] == ["/ok"]
