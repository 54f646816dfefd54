"""The one middleware of the inbound edge: context, deadline, access line, metrics, span, and the last net.

Put it first. Everything that happens per request is in one place because the sum of small middleware costs more than
what they do, and because they have to agree: the error, the line, the span and the answer carry the same ids.
"""

from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from bandstand.observability import queries
from bandstand.web.probes import PROBES
from bandstand.web.visit import Edge, Visit

__all__ = ["EdgeMiddleware"]


class EdgeMiddleware:
    """Everything that is done around each request, sync or async."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)
        self._edge = Edge()
        queries.install()

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer *request*; nothing escapes, and every answer carries both ids."""
        if self._is_async:
            return self._answer(request)
        visit = Visit(request, edge=self._edge)
        try:
            probe = PROBES.get(request.path_info)
            if probe is not None:
                return visit.identified(probe(request))
            refusal = visit.refusal()
            return visit.finished(self.get_response(request) if refusal is None else refusal)
        except Exception as error:  # noqa: BLE001 - the last net: Django's own handlers failed
            return visit.finished(visit.fault(error))
        finally:
            visit.leave()

    async def _answer(self, request: HttpRequest) -> HttpResponseBase:
        visit = Visit(request, edge=self._edge)
        try:
            probe = PROBES.get(request.path_info)
            if probe is not None:
                return visit.identified(await sync_to_async(probe, thread_sensitive=False)(request))
            refusal = visit.refusal()
            return visit.finished(await self.get_response(request) if refusal is None else refusal)
        except CancelledError:  # the client went away
            visit.abandoned()
            raise
        except Exception as error:  # noqa: BLE001 - the last net: Django's own handlers failed
            return visit.finished(visit.fault(error))
        finally:
            visit.leave()
