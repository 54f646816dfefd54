"""The edge alone in front of a few views, as an ordinary Django project would use it."""

import logging
from collections.abc import Iterator

import pytest
from django.test import AsyncClient, Client
from pytest_django import Settings
from tests.web_edge.lines import Lines


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler = Lines()
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler
    root.removeHandler(handler)
    root.setLevel(before)


@pytest.fixture(autouse=True)
def edge(settings: Settings) -> None:
    settings.MIDDLEWARE = [
        "bandstand.web.middleware.EdgeMiddleware",
        "django.middleware.common.CommonMiddleware",
    ]
    settings.ROOT_URLCONF = "tests.web_edge.routes"


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


@pytest.fixture
def async_client() -> AsyncClient:
    return AsyncClient(raise_request_exception=False)
