"""System checks that refuse an edge which could not keep its promises."""

from collections.abc import Iterator

import pytest
from django.core import checks
from django.test import override_settings

from bandstand.web.serializers import StrictModelSerializer
from tests.project.models import Product

EDGE = "bandstand.web.middleware.EdgeMiddleware"
COMMON = "django.middleware.common.CommonMiddleware"


def found() -> set[str]:
    return {message.id for message in checks.run_checks() if str(message.id).startswith("bandstand.E4")}


def test_the_test_project_passes() -> None:
    assert found() == set()


@pytest.mark.parametrize("middleware", [[COMMON, EDGE], [EDGE, COMMON, EDGE]])
def test_the_edge_is_first_and_once(middleware: list[str]) -> None:
    with override_settings(MIDDLEWARE=middleware):
        assert found() == {"bandstand.E401"}


def test_nothing_redirects() -> None:
    with override_settings(MIDDLEWARE=[EDGE, COMMON], APPEND_SLASH=True):
        assert found() == {"bandstand.E402"}


def test_rest_framework_answers_with_our_envelope() -> None:
    with override_settings(REST_FRAMEWORK={"DEFAULT_PERMISSION_CLASSES": ["bandstand.auth.rest.Closed"]}):
        assert "bandstand.E404" in found()


@pytest.fixture
def careless() -> Iterator[None]:
    class Careless(StrictModelSerializer):
        class Meta:
            model = Product
            fields = "__all__"

    yield
    del Careless
    import gc

    gc.collect()  # the check looks at living classes


@pytest.mark.usefixtures("careless")
def test_a_serializer_names_its_fields() -> None:
    assert found() == {"bandstand.E403"}
