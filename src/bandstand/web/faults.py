"""Which `ServiceError` an exception means: Django's, REST framework's, the database's, our own.

One table for every path on which an exception can leave a view. What is not in it is a fault of ours: 500.
"""

import sqlite3
from typing import Any

from django.core import exceptions as core
from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, InternalError, OperationalError
from django.http import Http404, UnreadablePostError
from django.http.multipartparser import MultiPartParserError

from bandstand import errors
from bandstand.errors import ServiceError

__all__ = ["error_from_exception"]

# SQLite primary result codes that pass by themselves or with an operator's help: busy, locked, out of memory,
# read-only, interrupted, input/output error, corrupt, full, cannot open, protocol.
_SQLITE_TEMPORARY = frozenset({5, 6, 7, 8, 9, 10, 11, 13, 14, 15})
_READ_ONLY_TRANSACTION = "25006"
_VIOLATIONS = {
    "23505": "unique",
    "23503": "reference",
    "23514": "constraint",
    "23P01": "constraint",
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: "unique",
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: "unique",
    sqlite3.SQLITE_CONSTRAINT_ROWID: "unique",
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: "reference",
    sqlite3.SQLITE_CONSTRAINT_CHECK: "constraint",
}


def error_from_exception(error: BaseException) -> ServiceError:
    """Translate *error*; anything unknown becomes an InternalError that says nothing about its cause."""
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, DatabaseError | InterfaceError):
        return _from_database(error)
    if isinstance(error, Http404 | core.ObjectDoesNotExist):
        return errors.NotFound()
    if isinstance(error, core.PermissionDenied):
        return errors.PermissionDenied()
    if isinstance(error, core.ValidationError):
        return _from_validation(error)
    if isinstance(error, core.RequestDataTooBig):
        return errors.PayloadTooLarge()
    if isinstance(error, core.SuspiciousOperation | core.BadRequest | MultiPartParserError | UnreadablePostError):
        return errors.ValidationFailed("The request is malformed.")
    return _from_rest_framework(error) or errors.InternalError()


def _from_validation(error: core.ValidationError) -> ServiceError:
    if hasattr(error, "error_dict"):
        return errors.ValidationFailed(field_errors=error.message_dict)
    return errors.ValidationFailed(field_errors={"": error.messages})


def _from_database(error: Exception) -> ServiceError:
    if isinstance(error, DataError):  # out of range, or a NUL that no field refused: the request's fault
        return errors.ValidationFailed("A value cannot be stored.")
    if isinstance(error, IntegrityError):
        violation = _VIOLATIONS.get(_engine_code(error))
        if violation:
            return errors.Conflict(conflict=violation)
    elif _is_temporary(error):
        return errors.ServiceUnavailable("The database is temporarily unavailable.")
    return errors.InternalError()


def _engine_code(error: BaseException) -> Any:
    cause = error.__cause__
    return getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorcode", None)


def _is_temporary(error: Exception) -> bool:
    code = _engine_code(error)
    if isinstance(code, int):
        return code & 0xFF in _SQLITE_TEMPORARY
    if isinstance(error, InternalError):
        return bool(code == _READ_ONLY_TRANSACTION)
    # PostgreSQL: lost connections, no connection left, disk full, lock not available, deadlock, cancelled, shutdown.
    # A wrong statement is a ProgrammingError there, so every OperationalError is a matter of time.
    return isinstance(error, OperationalError | InterfaceError)


def _from_rest_framework(error: BaseException) -> ServiceError | None:
    from rest_framework import exceptions as rest  # noqa: PLC0415 - plain Django views do without it

    if not isinstance(error, rest.APIException):
        return None
    # Their sentences repeat the method or media type that came in, and others name the model that was not found.
    echoing = rest.MethodNotAllowed | rest.UnsupportedMediaType | rest.NotFound | rest.NotAcceptable
    if isinstance(error, rest.ValidationError):
        return errors.ValidationFailed(field_errors=_flattened(error.detail))
    if isinstance(error, rest.Throttled):
        return errors.RateLimited(retry_after=max(1, int(getattr(error, "wait", None) or 1)))
    # By class and not by status: REST framework turns a 401 without a challenge into a 403.
    if isinstance(error, rest.NotAuthenticated | rest.AuthenticationFailed):
        return errors.NotAuthenticated()
    if isinstance(error, echoing):
        return _BY_STATUS[error.status_code]()
    cls = _BY_STATUS.get(error.status_code)
    return cls(str(error.detail)) if cls else errors.InternalError()


_BY_STATUS: dict[int, type[ServiceError]] = {
    400: errors.ValidationFailed,
    403: errors.PermissionDenied,
    404: errors.NotFound,
    405: errors.MethodNotAllowed,
    406: errors.NotAcceptable,
    409: errors.Conflict,
    413: errors.PayloadTooLarge,
    415: errors.UnsupportedMediaType,
    422: errors.BusinessRuleViolated,
    502: errors.ExternalServiceError,
    503: errors.ServiceUnavailable,
    504: errors.DeadlineExceeded,
}


def _flattened(detail: Any, path: str = "") -> dict[str, list[str]]:
    """REST framework's nested details as dotted paths: `{"items": [{}, {"quantity": ["…"]}]}` → `items.1.quantity`."""
    found: dict[str, list[str]] = {}
    if isinstance(detail, dict):
        for key, value in detail.items():
            name = "" if key == "non_field_errors" else str(key)[:64]
            found.update(_flattened(value, f"{path}.{name}".strip(".") if name else path))
    elif isinstance(detail, list) and any(isinstance(entry, dict | list) for entry in detail):
        for index, value in enumerate(detail):
            found.update(_flattened(value, f"{path}.{index}".strip(".")))
    elif detail:
        sentences = detail if isinstance(detail, list) else [detail]
        found[path] = [str(sentence) for sentence in sentences]
    return found
