"""The operational endpoints: answered before hosts are checked, not logged, and never about another service.

A kubelet probes by the pod's address, which no `ALLOWED_HOSTS` names. The gateway does not route these paths.
"""

from collections.abc import Callable, Mapping

import msgspec
from django.http import HttpRequest, HttpResponse

from bandstand import health
from bandstand.observability import metrics

__all__ = ["PROBES"]

_encode = msgspec.json.Encoder().encode


def _answer(probe: health.Probe) -> HttpResponse:
    return _json({"status": "ok" if probe.ok else "unavailable", "failing": probe.failing}, ok=probe.ok)


def _json(body: object, *, ok: bool) -> HttpResponse:
    response = HttpResponse(_encode(body), content_type="application/json", status=200 if ok else 503)
    response.headers["Cache-Control"] = "no-store"
    if not ok:
        response.headers["Retry-After"] = "1"
    return response


def _live(_: HttpRequest) -> HttpResponse:
    return _answer(health.liveness())


def _ready(_: HttpRequest) -> HttpResponse:
    return _answer(health.readiness())


def _startup(_: HttpRequest) -> HttpResponse:
    return _answer(health.startup())


def _report(request: HttpRequest) -> HttpResponse:
    body = health.report(detail=_is_operator(request))
    return _json(body, ok=body["status"] != "unhealthy")


def _is_operator(request: HttpRequest) -> bool:
    """Whether a valid staff token came along; anything else just gets the summary."""
    header = request.META.get("HTTP_AUTHORIZATION")
    if not header:
        return False
    from bandstand.auth import authenticate_user  # noqa: PLC0415 - probes work where `auth` is not set up

    try:
        principal = authenticate_user(header)
    except Exception:  # noqa: BLE001 - a bad token or an issuer out of reach must not fail a report
        return False
    return principal is not None and principal.is_staff


def _metrics(_: HttpRequest) -> HttpResponse:
    return HttpResponse(metrics.render(), content_type=metrics.CONTENT_TYPE)


_BY_NAME = {"livez": _live, "readyz": _ready, "startupz": _startup, "health": _report, "metrics": _metrics}

PROBES: Mapping[str, Callable[[HttpRequest], HttpResponse]] = {
    path: view for name, view in _BY_NAME.items() for path in (f"/{name}", f"/{name}/")
}
"""The view of each operational path, with and without a trailing slash."""
