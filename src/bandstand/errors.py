"""What can go wrong, by name: the one tree of errors a caller can meet.

A class fixes `code`, `status` and `retryable`; an instance adds the sentence and the details. Domain code raises,
only the edge (`bandstand.web`) turns an error into a response, and `bandstand.client` turns that response back into
the same class on the caller's side.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

__all__ = [
    "BusinessRuleViolated",
    "Conflict",
    "DeadlineExceeded",
    "ExternalServiceError",
    "InternalError",
    "LengthRequired",
    "MethodNotAllowed",
    "NotAcceptable",
    "NotAuthenticated",
    "NotFound",
    "PayloadTooLarge",
    "PaymentDeclined",
    "PermissionDenied",
    "PreconditionFailed",
    "RateLimited",
    "ServiceConnectionError",
    "ServiceError",
    "ServiceHTTPError",
    "ServiceTimeoutError",
    "ServiceUnavailable",
    "UnsupportedMediaType",
    "ValidationFailed",
    "error_from",
]


class ServiceError(Exception):
    """The root. `details` is shown to the caller: identifiers and limits, never secrets or host names.

    A client sets `repeated` on an answer to a repetition: an earlier copy of the request may still take effect.
    """

    code: ClassVar[str] = "INTERNAL_ERROR"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    sentence: ClassVar[str] = "An unexpected error occurred."
    repeated: bool = False

    def __init__(self, message: str = "", *, retry_after: int | None = None, **details: Any) -> None:
        super().__init__(message or self.sentence)
        self.message = message or self.sentence
        self.retry_after = retry_after
        self.details: dict[str, Any] = details

    def __str__(self) -> str:
        """The message, led by `details["service_name"]` where it does not name that service itself."""
        name = str(self.details.get("service_name", ""))
        return self.message if name in self.message else f"{name}: {self.message}"


class InternalError(ServiceError):
    """A fault of ours. The message never carries the cause; the log does."""


class ValidationFailed(ServiceError):
    """The request itself is wrong; `field_errors` maps each field (dotted path) to its sentences."""

    code, status = "VALIDATION_ERROR", 400
    sentence = "The request is not valid."

    def __init__(
        self, message: str = "", *, field_errors: Mapping[str, Sequence[str]] | None = None, **details: Any
    ) -> None:
        super().__init__(message, **details, field_errors=dict(field_errors or {}))


class NotAuthenticated(ServiceError):
    """No valid credentials came with the request."""

    code, status = "NOT_AUTHENTICATED", 401
    sentence = "Valid credentials are required."


class PaymentDeclined(ServiceError):
    """The payment provider refused to take the money."""

    code, status = "PAYMENT_DECLINED", 402
    sentence = "The payment was declined."


class PermissionDenied(ServiceError):
    """The caller is known and may not do this."""

    code, status = "PERMISSION_DENIED", 403
    sentence = "You do not have permission to do this."


class NotFound(ServiceError):
    """Absent, or somebody else's: the answer is the same."""

    code, status = "NOT_FOUND", 404
    sentence = "Not found."


class MethodNotAllowed(ServiceError):
    """The route exists, the method does not."""

    code, status = "METHOD_NOT_ALLOWED", 405
    sentence = "This method is not allowed here."


class NotAcceptable(ServiceError):
    """No representation fits the Accept header."""

    code, status = "NOT_ACCEPTABLE", 406
    sentence = "No acceptable representation is available."


class Conflict(ServiceError):
    """The request contradicts the present state; `conflict` names how, for machines."""

    code, status = "CONFLICT", 409
    sentence = "The request conflicts with the present state."
    conflict: ClassVar[str] = ""

    def __init__(self, message: str = "", *, conflict: str = "", **details: Any) -> None:
        super().__init__(message, **details, conflict=conflict or self.conflict)


class LengthRequired(ServiceError):
    """A body of unknown length came straight at the service."""

    code, status = "LENGTH_REQUIRED", 411
    sentence = "A Content-Length is required."


class PreconditionFailed(ServiceError):
    """The If-Match tag is stale."""

    code, status = "PRECONDITION_FAILED", 412
    sentence = "The resource has changed since it was read."


class PayloadTooLarge(ServiceError):
    """The body is over the limit."""

    code, status = "PAYLOAD_TOO_LARGE", 413
    sentence = "The request body is too large."


class UnsupportedMediaType(ServiceError):
    """The body is not of a type this route reads."""

    code, status = "UNSUPPORTED_MEDIA_TYPE", 415
    sentence = "Only application/json is read here."


class BusinessRuleViolated(ServiceError):
    """A rule of the domain forbids it; `rule` names it for machines (`details.business_rule`)."""

    code, status = "BUSINESS_LOGIC_ERROR", 422
    sentence = "A business rule was violated."
    rule: ClassVar[str] = ""

    def __init__(self, message: str = "", *, business_rule: str = "", **details: Any) -> None:
        super().__init__(message, **details, business_rule=business_rule or self.rule)


class RateLimited(ServiceError):
    """Too many requests; try again after `retry_after` seconds."""

    code, status, retryable = "RATE_LIMITED", 429, True
    sentence = "Too many requests."

    def __init__(self, message: str = "", *, retry_after: int = 1, **details: Any) -> None:
        super().__init__(message, retry_after=retry_after, **details)


class ExternalServiceError(ServiceError):
    """A service this one depends on failed; `service_name` says which, `status_code` what it answered."""

    code, status, retryable = "EXTERNAL_SERVICE_ERROR", 502, True
    sentence = "A service this one depends on failed."


class ServiceUnavailable(ServiceError):
    """Temporarily unable: database locked, disk full, draining, dependency down."""

    code, status, retryable = "SERVICE_UNAVAILABLE", 503, True
    sentence = "The service is temporarily unavailable."

    def __init__(self, message: str = "", *, retry_after: int | None = 1, **details: Any) -> None:
        super().__init__(message, retry_after=retry_after or 1, **details)


class DeadlineExceeded(ServiceError):
    """The time the caller allowed has passed. The effect is unknown unless `sent` is false."""

    code, status, retryable = "DEADLINE_EXCEEDED", 504, True
    sentence = "The deadline has passed."


class ServiceHTTPError(ExternalServiceError):
    """A remote answer that is no answer of the contract: 5xx, unreadable body, refused credentials.

    `status_code` and `body` keep what came back. Whether the effect happened is unknown.
    """

    def __init__(self, message: str = "", *, status_code: int = 0, body: bytes = b"", **details: Any) -> None:
        super().__init__(message, **details, status_code=status_code)
        self.status_code = status_code
        self.body = body


class ServiceConnectionError(ServiceUnavailable):
    """The connection failed. `sent` is false only when surely no byte of the request left this process."""

    def __init__(self, message: str = "", *, sent: bool = True, **details: Any) -> None:
        super().__init__(message, **details)
        self.sent = sent


class ServiceTimeoutError(DeadlineExceeded):
    """No complete answer within the deadline. `sent` is false only when surely nothing left this process."""

    def __init__(self, message: str = "", *, sent: bool = True, **details: Any) -> None:
        super().__init__(message, **details)
        self.sent = sent


_BY_CODE: dict[str, type[ServiceError]] = {
    cls.code: cls
    for cls in (
        ValidationFailed,
        NotAuthenticated,
        PaymentDeclined,
        PermissionDenied,
        NotFound,
        MethodNotAllowed,
        NotAcceptable,
        Conflict,
        LengthRequired,
        PreconditionFailed,
        PayloadTooLarge,
        UnsupportedMediaType,
        BusinessRuleViolated,
        RateLimited,
        InternalError,
        ExternalServiceError,
        ServiceUnavailable,
        DeadlineExceeded,
    )
}


def error_from(
    *, code: str, message: str, details: Mapping[str, Any], retry_after: int | None = None
) -> ServiceError | None:
    """Rebuild the error that a remote envelope describes, or None when the code is unknown here."""
    cls = _BY_CODE.get(code)
    if cls is None:
        return None
    error = cls(message)
    error.details = dict(details)
    error.retry_after = retry_after if retry_after is not None else error.retry_after
    return error
