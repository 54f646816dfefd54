"""The articles' logging, R18 and checklist 34, 36: each fault shown, and mended in ours."""

import io
import json
import logging
import uuid
from collections.abc import Iterator

import pytest

from bandstand.observability.logging import JsonFormatter, LineHandler


class ArticlesLogger:
    """A JSON text built by hand, put into a JSON text built by hand."""

    FORMAT = '{"level": "%(levelname)s", "service": "users", "message": "%(message)s"}'

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.logger = logging.Logger("articles")  # noqa: LOG001 - one that nothing else listens to
        handler = logging.StreamHandler(self.stream)
        handler.setFormatter(logging.Formatter(self.FORMAT))
        self.logger.addHandler(handler)

    def info(self, message: str, **fields: object) -> None:
        self.logger.info(json.dumps({"message": message, **fields}))


@pytest.fixture
def ours() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    stream = io.StringIO()
    handler = LineHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.Logger("ours")  # noqa: LOG001 - one that nothing else listens to
    logger.addHandler(handler)
    return logger, stream


Ours = tuple[logging.Logger, io.StringIO]


def test_r18_every_line_of_the_articles_is_invalid_json() -> None:
    naive = ArticlesLogger()
    naive.info("User created", user="ada")
    with pytest.raises(json.JSONDecodeError):
        json.loads(naive.stream.getvalue())


def test_r18_ours_is_json(ours: Ours) -> None:
    logger, stream = ours
    logger.info("user.created", extra={"user": "ada"})
    assert json.loads(stream.getvalue())["user"] == "ada"


def test_33_an_id_in_a_field_breaks_the_articles_request() -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        ArticlesLogger().info("User created", user_id=uuid.uuid4())


def test_33_ours_writes_it(ours: Ours) -> None:
    logger, stream = ours
    user = uuid.uuid4()
    logger.info("user.created", extra={"user_id": user})
    assert json.loads(stream.getvalue())["user_id"] == str(user)


FORGED = 'x"}\n{"level": "CRITICAL", "service": "payments", "message": "refunded'


def test_34_a_client_forges_a_line_of_the_articles() -> None:
    naive = ArticlesLogger()
    naive.logger.info("GET %s", f"/{FORGED}")
    forged = json.loads(naive.stream.getvalue().split("\n")[1])
    assert forged["service"] == "payments"


def test_34_ours_escapes_what_a_client_wrote(ours: Ours) -> None:
    logger, stream = ours
    logger.info("GET %s", f"/{FORGED}")
    (line, rest) = stream.getvalue().split("\n")
    assert rest == ""
    assert json.loads(line)["event"] == f"GET /{FORGED}"


def test_36_the_articles_log_the_address_in_clear() -> None:
    naive = ArticlesLogger()
    naive.info("Creating user", email="ada@example.com")
    assert "ada@example.com" in naive.stream.getvalue()


def test_36_ours_writes_a_fingerprint(ours: Ours) -> None:
    logger, stream = ours
    logger.info("user.created", extra={"email": "ada@example.com", "error": "(email)=(ada@example.com) exists"})
    assert "ada@example.com" not in stream.getvalue()
    assert json.loads(stream.getvalue())["email"].startswith("#")
