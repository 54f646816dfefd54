"""Every error answer: our envelope, or RFC 9457 `application/problem+json` for those who accept it.

`from_exception` is the one way from an exception to an answer: REST framework, plain views, Django's own handlers and
the middleware all go through it, so that no path has a shape, a status or a correlation id of its own.
"""

import json
import logging
from http import HTTPStatus
from typing import Any

import msgspec
from django.core.signals import got_request_exception
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from bandstand import clock, context, errors
from bandstand.config import identity
from bandstand.errors import ServiceError
from bandstand.web.faults import error_from_exception
from bandstand.web.negotiation import prefers_problem

__all__ = [
    "bad_request",
    "csrf_failure",
    "exception_handler",
    "from_exception",
    "not_found",
    "page_not_found",
    "permission_denied",
    "response_for",
    "server_error",
    "wrapped",
]

log = logging.getLogger(__name__)

_PROBLEM = "application/problem+json"
_PLACES = {"query": "parameter", "header": "header"}


def response_for(error: ServiceError, *, accept: str | None = None, instance: str = "") -> HttpResponse:
    """Answer with *error* in the form that the header *accept* prefers; *instance* is the path, for RFC 9457.

    The correlation id is the one of the work at hand. 429 and 503 carry `Retry-After`, 401 its challenge.
    """
    problem = prefers_problem(accept)
    body = _problem(error, instance) if problem else {"error": _envelope(error)}
    response = HttpResponse(
        _encoded(body), status=error.status, content_type=_PROBLEM if problem else "application/json"
    )
    response["Cache-Control"] = "no-store"
    response["Vary"] = "Accept"
    if error.retry_after is not None:
        response["Retry-After"] = str(error.retry_after)
    if error.status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response


def from_exception(exception: BaseException, request: HttpRequest | None) -> HttpResponse:
    """Answer for *exception*; one that nobody expected is logged with its traceback and announced to Django.

    Call it from an `except` block: Django's `got_request_exception` hands on what is being handled.
    """
    error = error_from_exception(exception)
    _release_claim(request)
    if isinstance(error, errors.InternalError):
        log.error("request.failed", exc_info=exception)
        got_request_exception.send(sender=None, request=request)
    elif isinstance(error, errors.ServiceUnavailable) and error is not exception:
        log.warning("database.unavailable", extra={"error": str(exception)})
    if request is None:
        return response_for(error)
    return response_for(error, accept=request.META.get("HTTP_ACCEPT"), instance=request.path)


def _release_claim(request: HttpRequest | None) -> None:
    """Give an unanswered Idempotency-Key back: the request ends here, and may be tried again at once."""
    claim = getattr(request, "idempotency_claim", None)
    if claim is not None:
        claim.release()


def exception_handler(exception: Exception, details: dict[str, Any]) -> HttpResponse:
    """REST framework's `EXCEPTION_HANDLER`: the same answer, and the request's transaction rolled back."""
    from rest_framework.views import set_rollback  # noqa: PLC0415 - plain Django views do without it

    set_rollback()
    request = details.get("request")
    return from_exception(exception, getattr(request, "_request", request))


def wrapped(response: HttpResponseBase, *, accept: str | None = None, instance: str = "") -> HttpResponseBase:
    """Give a bare error answer (an empty 405, an HTML page) our envelope; leave every other answer as it is."""
    if response.status_code < 400 or "json" in response.get("Content-Type", ""):
        return response
    error = _BARE.get(response.status_code, errors.InternalError if response.status_code >= 500 else None)
    if error is None:
        return response
    replacement = response_for(error(), accept=accept, instance=instance)
    for name in ("Allow", "Retry-After", "WWW-Authenticate"):
        if name in response:
            replacement[name] = response[name]
    return replacement


def bad_request(request: HttpRequest, exception: BaseException) -> HttpResponse:
    """Django's `handler400`."""
    return from_exception(exception, request)


def permission_denied(request: HttpRequest, exception: BaseException) -> HttpResponse:
    """Django's `handler403`."""
    return from_exception(exception, request)


def not_found(request: HttpRequest, exception: BaseException) -> HttpResponse:
    """Django's `handler404`."""
    return from_exception(exception, request)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's `handler500`; Django has logged and announced the exception itself."""
    return response_for(errors.InternalError(), accept=request.META.get("HTTP_ACCEPT"), instance=request.path)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001 - Django's signature
    """Django's `CSRF_FAILURE_VIEW`."""
    return from_exception(errors.PermissionDenied("The CSRF check failed."), request)


def page_not_found(request: HttpRequest, **_: object) -> HttpResponse:
    """Answer what no route matches; as the last route it keeps Django's debug pages away from clients."""
    return from_exception(errors.NotFound(), request)


_BARE: dict[int, type[ServiceError]] = {
    cls.status: cls
    for cls in (
        errors.ValidationFailed,
        errors.NotAuthenticated,
        errors.PermissionDenied,
        errors.NotFound,
        errors.MethodNotAllowed,
        errors.NotAcceptable,
        errors.Conflict,
        errors.LengthRequired,
        errors.PreconditionFailed,
        errors.PayloadTooLarge,
        errors.UnsupportedMediaType,
        errors.RateLimited,
        errors.ExternalServiceError,
        errors.ServiceUnavailable,
        errors.DeadlineExceeded,
    )
}

# What a transport says about a remote failure may name hosts, ports and paths: that is for the log alone.
_REMOTE = (errors.ExternalServiceError, errors.ServiceConnectionError, errors.ServiceTimeoutError)
_REMOTE_DETAILS = ("service_name", "status_code")


def _public(error: ServiceError) -> tuple[str, dict[str, Any]]:
    if isinstance(error, errors.InternalError):
        return error.sentence, {}
    if isinstance(error, _REMOTE):
        return error.sentence, {key: error.details[key] for key in _REMOTE_DETAILS if key in error.details}
    return error.message, error.details


def _envelope(error: ServiceError) -> dict[str, Any]:
    message, details = _public(error)
    return {
        "code": error.code,
        "message": message,
        "details": details,
        "correlation_id": context.current().correlation_id,
        "service": identity().name,
        "timestamp": clock.rfc3339(clock.now()),
    }


def _problem(error: ServiceError, instance: str) -> dict[str, Any]:
    envelope = _envelope(error)
    # Each code has one status and adds nothing to its meaning, which is what RFC 9457 says with `about:blank`.
    problem = {
        "type": "about:blank",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": envelope.pop("message"),
        **envelope,
    }
    if instance:
        problem["instance"] = instance
    field_errors = error.details.get("field_errors")
    if field_errors:
        problem["errors"] = _located(field_errors, key=_PLACES.get(error.details.get("in", ""), "pointer"))
    return problem


def _located(field_errors: dict[str, list[str]], *, key: str) -> list[dict[str, str]]:
    return [
        {"detail": sentence, key: _pointer(path) if key == "pointer" else path}
        for path, sentences in field_errors.items()
        for sentence in sentences
    ]


def _pointer(path: str) -> str:
    parts = path.split(".") if path else []
    return "#" + "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


def _encoded(body: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(body, enc_hook=str)
    except (UnicodeEncodeError, OverflowError, TypeError):  # a detail that JSON cannot say must not hide the error
        return json.dumps(body, default=str).encode()
