"""What stands between a WSGI server and Django: a body of known length, no process environment, no bare error.

A chunked request reaches WSGI without CONTENT_LENGTH, and Django then sees an empty body and answers as if nothing had
been sent. Here it is read, up to the limit, and given its length.
"""

import io
import logging
import re
from collections.abc import Callable, Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from django.core.handlers.wsgi import WSGIRequest

from bandstand import errors
from bandstand.config import environment
from bandstand.web.config import web_settings
from bandstand.web.visit import Edge, Visit

__all__ = ["application_wrapper"]

log = logging.getLogger(__name__)

_LENGTH = re.compile(r"[0-9]{1,18}")
# What a server sets for each request, whatever the process environment says.
_GATEWAY_NAMES = frozenset(
    {"REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL"}
    | {"REMOTE_ADDR", "REMOTE_PORT"}
)


def application_wrapper(application: WSGIApplication, *, body_limit_bytes: int | None = None) -> WSGIApplication:
    """Wrap Django's WSGI *application*; the limit is `BANDSTAND["WEB"]["BODY_LIMIT_BYTES"]` unless given.

    Some servers add their process environment to every request: it would show secrets on debug pages, and let a
    variable named HTTP_X_… pass for a header, so it is taken out again.
    """
    limit = web_settings().body_limit_bytes if body_limit_bytes is None else body_limit_bytes
    inherited = {name: value for name, value in environment().items() if name not in _GATEWAY_NAMES}

    def bounded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        for name in inherited.keys() & environ.keys():
            if environ[name] == inherited[name]:
                del environ[name]
        try:
            _give_length(environ, limit=limit)
            return application(environ, start_response)
        except errors.ServiceError as error:
            return _refuse(error, environ, start_response)
        except Exception:  # whatever escaped Django before its middleware ran
            log.exception("request.escaped")
            return _refuse(errors.InternalError(), environ, start_response)

    return bounded


def _give_length(environ: WSGIEnvironment, *, limit: int) -> None:
    """Make CONTENT_LENGTH true and bounded. Raises PayloadTooLarge, ValidationFailed or LengthRequired."""
    declared = environ.get("CONTENT_LENGTH") or ""
    chunked = "HTTP_TRANSFER_ENCODING" in environ
    if declared and chunked:
        raise errors.ValidationFailed("Content-Length and Transfer-Encoding exclude each other.")
    if declared:
        if _LENGTH.fullmatch(declared) is None:
            raise errors.ValidationFailed("Content-Length is no number.")
        if int(declared) > limit:
            raise _too_large(limit)
        return
    if chunked or environ.get("SERVER_PROTOCOL", "").startswith("HTTP/2"):
        _buffer(environ, limit=limit)


def _buffer(environ: WSGIEnvironment, *, limit: int) -> None:
    if not environ.get("wsgi.input_terminated"):  # reading could wait for ever
        raise errors.LengthRequired
    body = _read(environ["wsgi.input"].read, limit + 1)
    if len(body) > limit:
        raise _too_large(limit)
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ["wsgi.input"] = io.BytesIO(body)


def _read(read: Callable[[int], bytes], size_bytes: int) -> bytes:
    """Read until *size_bytes* or the end: a server may hand out a chunk at a time."""
    body = bytearray()
    while len(body) < size_bytes:
        part = read(size_bytes - len(body))
        if not part:
            break
        body += part
    return bytes(body)


def _too_large(limit: int) -> errors.PayloadTooLarge:
    return errors.PayloadTooLarge(f"The request body is over {limit} bytes.", limit_bytes=limit)


def _refuse(error: errors.ServiceError, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer without Django's handler, in the shape, with the headers and with the access line of any other answer."""
    visit = Visit(WSGIRequest(environ), edge=Edge())
    try:
        response = visit.finished(visit.problem(error))
    finally:
        visit.leave()
    start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
    return response
