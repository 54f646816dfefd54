"""The question every call asks: which addresses, and in which order."""

import itertools
from pathlib import Path

from bandstand import clock
from bandstand.config import section
from bandstand.discovery.backends.base import Resolver
from bandstand.discovery.backends.registry_file import RegistryFileResolver
from bandstand.discovery.backends.static import StaticResolver
from bandstand.discovery.config import DiscoveryConfig

__all__ = ["Discovery", "report_failure", "resolve"]

_SUSPECT_SECONDS = 5.0


class Discovery:
    """Resolvers asked in order, turns taken between addresses, and those that just failed put last.

    An address that failed stays usable: with no other one it is still tried, so a wrong suspicion costs no call.
    """

    def __init__(self, *resolvers: Resolver) -> None:
        self._resolvers = resolvers
        self._suspects: dict[tuple[str, str], float] = {}
        self._turns = itertools.count()

    def resolve(self, service: str) -> tuple[str, ...]:
        """The base URLs of *service*, the one to try first at the front; empty when nobody knows it."""
        for resolver in self._resolvers:
            urls = resolver.resolve(service)
            if len(urls) > 1:
                return self._ordered(service, urls)
            if urls:
                return urls
        return ()

    def report_failure(self, service: str, url: str) -> None:
        """Put *url* last for five seconds and look at the sources again: no cache may give the dead address back."""
        now = clock.monotonic()
        self._suspects = {key: until for key, until in self._suspects.items() if until > now}
        self._suspects[service, url] = now + _SUSPECT_SECONDS
        for resolver in self._resolvers:
            resolver.expire()

    def _ordered(self, service: str, urls: tuple[str, ...]) -> tuple[str, ...]:
        turn = next(self._turns) % len(urls)
        turned = urls[turn:] + urls[:turn]
        if not self._suspects:
            return turned
        now = clock.monotonic()
        return tuple(sorted(turned, key=lambda url: self._suspects.get((service, url), 0.0) > now))


_made: tuple[DiscoveryConfig, Discovery] | None = None


def _discovery() -> Discovery:
    global _made  # noqa: PLW0603 - kept until the section changes
    config = section(DiscoveryConfig)
    made = _made
    if made is None or made[0] is not config:
        resolvers: list[Resolver] = [StaticResolver(config.services)]
        if config.registry_file:
            resolvers.insert(0, RegistryFileResolver(Path(config.registry_file)))
        made = _made = config, Discovery(*resolvers)
    return made[1]


def resolve(service: str) -> tuple[str, ...]:
    """The base URLs of *service*, the one to try first at the front; empty when nobody knows it."""
    return _discovery().resolve(service)


def report_failure(service: str, url: str) -> None:
    """Say that *url* did not answer: it goes last for five seconds, and the sources are looked at again."""
    _discovery().report_failure(service, url)
