"""Where services are found, in which order, and what a failure changes."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from django.test import override_settings

from bandstand import discovery
from bandstand.discovery.backends.base import Resolver
from bandstand.discovery.backends.registry_file import RegistryFileResolver
from bandstand.discovery.backends.static import StaticResolver
from bandstand.discovery.resolution import Discovery
from bandstand.testing.clock import held_clock


def write(path: Path, services: dict[str, Iterable[str]]) -> None:
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"services": services}))
    new.rename(path)


@pytest.fixture(params=["static", "registry_file"])
def resolver(request: pytest.FixtureRequest, tmp_path: Path) -> Resolver:
    services = {"users": ["http://a:1/", "http://b:2"], "user-mail": ["http://m:1"]}
    if request.param == "static":
        return StaticResolver(services)
    write(tmp_path / "registry.json", services)
    return RegistryFileResolver(tmp_path / "registry.json")


def test_every_source_gives_base_urls_without_a_slash(resolver: Resolver) -> None:
    assert resolver.resolve("users") == ("http://a:1", "http://b:2")
    assert resolver.resolve("unknown") == ()


def test_static_names_may_come_from_variables_that_know_no_hyphen() -> None:
    resolver = StaticResolver({"user_mail": "http://m:1"})
    assert resolver.resolve("user-mail") == resolver.resolve("user_mail") == ("http://m:1",)


def test_a_new_instance_is_seen_within_fifty_milliseconds(tmp_path: Path) -> None:
    path = tmp_path / "registry.json"
    with held_clock() as held:
        resolver = RegistryFileResolver(path)
        assert resolver.resolve("users") == ()
        write(path, {"users": ["http://a:1"]})
        held.advance(0.05)
        assert resolver.resolve("users") == ("http://a:1",)


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"services": 5}', '{"services": {"users": 5}}', "\udcff"])
def test_a_broken_registry_leaves_the_last_addresses_in_force(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "registry.json"
    write(path, {"users": ["http://a:1"]})
    with held_clock() as held:
        resolver = RegistryFileResolver(path)
        assert resolver.resolve("users") == ("http://a:1",)
        path.write_text(broken, errors="surrogateescape")
        held.advance(1)
        assert resolver.resolve("users") == ("http://a:1",)
        path.unlink()
        held.advance(1)
        assert resolver.resolve("users") == ("http://a:1",)


def test_instances_take_turns() -> None:
    asked = Discovery(StaticResolver({"users": ["http://a", "http://b", "http://c"]}))
    firsts = [asked.resolve("users")[0] for _ in range(300)]
    assert [firsts.count(f"http://{name}") for name in "abc"] == [100, 100, 100]


def test_an_address_that_failed_goes_last_for_five_seconds() -> None:
    with held_clock() as held:
        asked = Discovery(StaticResolver({"users": ["http://a", "http://b"]}))
        asked.report_failure("users", "http://a")
        assert {asked.resolve("users") for _ in range(4)} == {("http://b", "http://a")}
        held.advance(5)
        assert {asked.resolve("users")[0] for _ in range(4)} == {"http://a", "http://b"}


def test_the_only_address_is_still_tried_after_a_failure() -> None:
    asked = Discovery(StaticResolver({"users": "http://a"}))
    asked.report_failure("users", "http://a")
    assert asked.resolve("users") == ("http://a",)


def test_the_registry_goes_before_the_static_addresses(tmp_path: Path) -> None:
    path = tmp_path / "registry.json"
    write(path, {"users": ["http://registered"]})
    section = {"REGISTRY_FILE": path, "SERVICES": {"users": "http://static", "orders": "http://orders/"}}
    with override_settings(BANDSTAND={"DISCOVERY": section}):
        assert discovery.resolve("users") == ("http://registered",)
        assert discovery.resolve("orders") == ("http://orders",)
        assert discovery.resolve("nobody") == ()
