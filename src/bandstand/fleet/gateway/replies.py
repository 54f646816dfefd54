"""Answers the gateway makes itself, in the shop's envelope (or RFC 9457 when asked for), with safe ids.

Envoy takes the first mapper that matches. A client's correlation id is echoed only when it is well-formed; a request so
broken that it has no headers at all gets an id made from its connection.
"""

from http import HTTPStatus
from typing import Any, NamedTuple

__all__ = ["local_reply_config"]

_VALID_ID = "[A-Za-z0-9._-]{8,64}"
_CONNECTION_ID = "gw-%CONNECTION_ID%-%START_TIME(%s%6f)%"
_TIME = "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%"


class _Answer(NamedTuple):
    first: int
    last: int
    status: int
    code: str
    message: str


# Statuses outside the contract's table (408, 426, 431, 501 …) are answered by the nearest one in it.
_ANSWERS = (
    _Answer(400, 400, 400, "VALIDATION_ERROR", "The request is malformed."),
    _Answer(401, 401, 401, "NOT_AUTHENTICATED", "Authentication is required."),
    _Answer(403, 403, 403, "PERMISSION_DENIED", "This is not allowed."),
    _Answer(404, 404, 404, "NOT_FOUND", "There is nothing here."),
    _Answer(405, 405, 405, "METHOD_NOT_ALLOWED", "The method is not allowed here."),
    _Answer(413, 413, 413, "PAYLOAD_TOO_LARGE", "The request body is too large."),
    _Answer(429, 429, 429, "RATE_LIMITED", "Too many requests."),
    _Answer(431, 431, 413, "PAYLOAD_TOO_LARGE", "The request headers are too large."),
    _Answer(501, 501, 400, "VALIDATION_ERROR", "The request asks for something that is not supported."),
    _Answer(502, 502, 502, "EXTERNAL_SERVICE_ERROR", "The service gave no usable answer."),
    _Answer(503, 503, 503, "SERVICE_UNAVAILABLE", "The service is temporarily unavailable."),
    _Answer(504, 504, 504, "DEADLINE_EXCEEDED", "The service did not answer in time."),
    _Answer(400, 499, 400, "VALIDATION_ERROR", "The request cannot be read."),
    _Answer(500, 599, 500, "INTERNAL_ERROR", "An unexpected error occurred."),
)


def local_reply_config() -> dict[str, Any]:
    """Envoy's `local_reply_config`: every answer in both shapes, for each source of its correlation id."""
    return {"mappers": [mapper for answer in _ANSWERS for mapper in _mappers(answer)]}


def _mappers(answer: _Answer) -> list[dict[str, Any]]:
    status = {"and_filter": {"filters": [_status("GE", answer.first), _status("LE", answer.last)]}}
    without_headers = _header("x-request-id", {"present_match": True, "invert_match": True})
    valid_id = _header("x-correlation-id", {"string_match": {"safe_regex": {"regex": _VALID_ID}}})
    problem = _header("accept", {"string_match": {"contains": "application/problem+json", "ignore_case": True}})
    mappers = []
    for identifier, filters in (("%REQ(X-CORRELATION-ID)%", [valid_id]), ("%REQ(X-REQUEST-ID)%", [])):
        if not filters and answer.status < 500:
            mappers.append(_mapper([status, without_headers], answer, _CONNECTION_ID, problem=False))
        mappers.append(_mapper([status, *filters, problem], answer, identifier, problem=True))
        mappers.append(_mapper([status, *filters], answer, identifier, problem=False))
    return mappers


def _mapper(filters: list[dict[str, Any]], answer: _Answer, identifier: str, *, problem: bool) -> dict[str, Any]:
    facts = {"code": answer.code, "correlation_id": identifier, "service": "gateway", "timestamp": _TIME}
    body: dict[str, Any] = {"error": {**facts, "message": answer.message, "details": {}}}
    if problem:
        title = HTTPStatus(answer.status).phrase
        body = {"type": "about:blank", "title": title, "status": answer.status, "detail": answer.message, "details": {}}
        body |= facts
    headers = [_added("X-Correlation-ID", identifier), _added("Cache-Control", "no-store"), _added("Vary", "Accept")]
    if answer.status < 500:  # refused before it got an id; otherwise Envoy replaces this one by the request's own
        headers.append(_added("X-Request-ID", _CONNECTION_ID))
    if answer.status in (429, 503):
        headers.append(_added("Retry-After", "1"))
    return {
        "filter": {"and_filter": {"filters": filters}} if len(filters) > 1 else filters[0],
        "status_code": answer.status,
        "headers_to_add": headers,
        "body_format_override": {
            "json_format": body,
            "content_type": "application/problem+json" if problem else "application/json",
        },
    }


def _status(operator: str, value: int) -> dict[str, Any]:
    comparison = {"op": operator, "value": {"default_value": value, "runtime_key": "bandstand.unused"}}
    return {"status_code_filter": {"comparison": comparison}}


def _header(name: str, match: dict[str, Any]) -> dict[str, Any]:
    return {"header_filter": {"header": {"name": name, **match}}}


def _added(name: str, value: str) -> dict[str, Any]:
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
