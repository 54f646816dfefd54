"""The OpenAPI 3.1 document, by drf-spectacular. Heavy: imported when the document is asked for, never at boot."""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent, get_lib_doc_excludes
from drf_spectacular.settings import patched_settings
from drf_spectacular.utils import OpenApiParameter
from rest_framework.permissions import AllowAny

from bandstand import errors
from bandstand.auth.rest import Public
from bandstand.config import identity
from bandstand.errors import ServiceError
from bandstand.web.idempotency import IdempotencyKeyReused, RequestInProgress
from bandstand.web.openapi import Endpoint, endpoint_of
from bandstand.web.pagination import Pagination
from bandstand.web.serializers import StrictModelSerializer, StrictSerializer
from bandstand.web.views import StrictAPIView, StrictViewSet

__all__ = ["EndpointSchema", "generate", "one_spelling", "undocumented"]

_SETTINGS = {
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "GET_LIB_DOC_EXCLUDES": "bandstand.web.schema.undocumented",
    "PREPROCESSING_HOOKS": ["bandstand.web.schema.one_spelling"],
}
_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
_KEY = {"type": "string", "minLength": 8, "maxLength": 255, "pattern": "^[A-Za-z0-9._:-]+$"}


def generate() -> dict[str, Any]:
    """Make the document of this service's REST framework views, in a stable order."""
    with patched_settings({**_SETTINGS, "TITLE": identity().name, "VERSION": "1"}):
        generator = _Generator()
        document: dict[str, Any] = generator.get_schema(public=True)  # type: ignore[no-untyped-call]
    components = document.setdefault("components", {})
    components["responses"] = dict(sorted(generator.shared_responses.items()))
    components.setdefault("schemas", {}).update(_ERROR_SCHEMAS)
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    components["schemas"] = dict(sorted(components["schemas"].items()))
    return _plain(document)  # type: ignore[no-any-return]


def one_spelling(endpoints: Iterable[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """Document each route once, with its slash: a hook of drf-spectacular."""
    found = list(endpoints)
    spelled = {(path, method) for path, _, method, _ in found}
    return [each for each in found if each[0].endswith("/") or (f"{each[0]}/", each[2]) not in spelled]


def undocumented() -> list[type]:
    """Classes whose docstrings speak of our library and not of an API: a setting of drf-spectacular."""
    return [*get_lib_doc_excludes(), StrictAPIView, StrictViewSet, StrictSerializer, StrictModelSerializer]  # type: ignore[no-untyped-call]


class _Generator(SchemaGenerator):
    """Gives each view our schema class at the last moment: REST framework asks for it at boot."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        self.shared_responses: dict[str, Any] = {}

    def create_view(self, callback: Callable[..., Any], method: str, request: Any = None) -> Any:
        view = super().create_view(callback, method, request)  # type: ignore[no-untyped-call]
        view.schema = EndpointSchema()
        view.shared_responses = self.shared_responses
        return view


class EndpointSchema(AutoSchema):
    """One operation, as its `Endpoint` declares it."""

    @property
    def endpoint(self) -> Endpoint:
        """The declaration of the handler."""
        return endpoint_of(self.view, self.method)

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        """The operation with everything it can answer."""
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is not None:
            operation["responses"].update(self._error_responses())
            operation["responses"] = dict(sorted(operation["responses"].items()))
        return operation

    def get_summary(self) -> str:
        """The declared sentence, or the first of the handler's docstring."""
        return self.endpoint.summary or self.get_description().partition("\n")[0]

    def get_request_serializer(self) -> Any:
        """The declared body."""
        return self.endpoint.body

    def get_response_serializers(self) -> Any:
        """The declared answers; without a declaration, an empty 200."""
        return dict(self.endpoint.answers) or {200: None}

    def _is_list_view(self, serializer: Any = None) -> bool:  # noqa: ARG002 - drf-spectacular guesses from it
        return self.endpoint.paginated

    def _get_paginator(self) -> Any:
        return Pagination() if self.endpoint.paginated else None

    def get_auth(self) -> list[dict[str, list[str]]]:
        """A bearer token, or nothing where the policy is public."""
        return [{}] if self._is_public() else [{"bearer": []}]

    def _is_public(self) -> bool:
        return all(isinstance(each, (Public, AllowAny)) for each in self.view.get_permissions())

    def get_override_parameters(self) -> list[Any]:
        """Query parameters and the headers of the conventions."""
        endpoint = self.endpoint
        found = list(_query_parameters(endpoint))
        if endpoint.idempotency:
            required = endpoint.idempotency == "required"
            found.append(_header("Idempotency-Key", schema=_KEY, required=required))
            found.append(_header("Idempotency-Replayed", schema={"type": "string", "const": "true"}, response=True))
        if endpoint.etag:
            found.append(_header("ETag", schema={"type": "string"}, response=True))
            name = "If-Match" if self.method in _BODY_METHODS else "If-None-Match"
            found.append(_header(name, schema={"type": "string"}))
        return found

    def _map_basic_serializer(self, serializer: Any, direction: str) -> dict[str, Any]:
        schema: dict[str, Any] = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        if direction == "request":
            schema["additionalProperties"] = False
        return schema

    def _error_responses(self) -> dict[str, Any]:
        by_status: dict[int, list[type[ServiceError]]] = {}
        for cls in (*self._general_errors(), *self.endpoint.errors):
            known = by_status.setdefault(cls.status, [])
            if cls not in known:
                known.append(cls)
        return {str(status): self._error_response(classes) for status, classes in by_status.items()}

    def _error_response(self, classes: list[type[ServiceError]]) -> dict[str, Any]:
        response = _described(classes)
        if len(classes) > 1:
            return response
        name = classes[0].__name__
        shared: dict[str, Any] = self.view.shared_responses  # type: ignore[attr-defined]
        shared[name] = response
        return {"$ref": f"#/components/responses/{name}"}

    def _general_errors(self) -> Iterator[type[ServiceError]]:
        yield from (errors.ValidationFailed, errors.NotAcceptable, errors.InternalError, errors.ServiceUnavailable)
        if not self._is_public():
            yield from (errors.NotAuthenticated, errors.PermissionDenied)
        if "{" in self.path:
            yield errors.NotFound
        if self.method in _BODY_METHODS:
            yield from (errors.PayloadTooLarge, errors.UnsupportedMediaType)
        if self.endpoint.idempotency:
            yield from (IdempotencyKeyReused, RequestInProgress)
        if self.endpoint.etag and self.method in _BODY_METHODS:
            yield errors.PreconditionFailed


class _MoneyExtension(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "bandstand.web.fields.MoneyField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        field = self.target
        currency = {"enum": list(field.currencies)} if field.currencies else {"pattern": "^[A-Z]{3}$"}
        schema = {
            "type": "object",
            "properties": {
                "amount": {
                    "type": "integer",
                    "format": "int64",
                    "minimum": field.least if direction == "request" else 0,
                    "maximum": field.most,
                },
                "currency": {"type": "string", **currency},
            },
            "required": ["amount", "currency"],
            "additionalProperties": False,
        }
        component = ResolvedComponent(  # type: ignore[no-untyped-call]
            name=f"Money{'Request' if direction == 'request' else ''}",
            type=ResolvedComponent.SCHEMA,
            schema=schema,
            object=f"money-{direction}-{field.least}-{field.most}-{field.currencies}",
        )
        if component.name in {name for name, _ in auto_schema.registry._components}:  # noqa: SLF001
            return schema if auto_schema.registry[component].schema != schema else dict(component.ref)
        auto_schema.registry.register(component)
        return dict(component.ref)


def _query_parameters(endpoint: Endpoint) -> Iterator[Any]:
    schema = msgspec.json.schema(endpoint.query)
    declared = schema.get("$defs", {}).get(endpoint.query.__name__, schema)
    for name, each in declared.get("properties", {}).items():
        staff = "Staff only." if name in endpoint.staff_query else ""
        yield OpenApiParameter(
            name=name,
            type=_without_null(each),
            location="query",
            required=name in declared.get("required", ()),
            description=staff,
        )


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """`x | None` means absent: a query string has no null."""
    kept = {key: value for key, value in schema.items() if key not in ("default", "anyOf")}
    branches = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    if "enum" in kept:
        kept["enum"] = [value for value in kept["enum"] if value is not None]
        kept["type"] = "string"
    return {**kept, **(branches[0] if branches else {})}


def _header(name: str, *, schema: dict[str, Any], required: bool = False, response: bool = False) -> Any:
    codes = ["200", "201", "202"] if response else False
    return OpenApiParameter(name=name, type=schema, location="header", required=required, response=codes)


def _described(classes: list[type[ServiceError]]) -> dict[str, Any]:
    sentences = [_sentence(cls) for cls in classes]
    return {
        "description": " · ".join(dict.fromkeys(sentences)),
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/Error"}},
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}},
        },
    }


def _sentence(cls: type[ServiceError]) -> str:
    text = re.sub(r"\s+", " ", (inspect.getdoc(cls) or cls.sentence).partition("\n")[0])
    machine = getattr(cls, "rule", "") or getattr(cls, "conflict", "")
    return f"`{cls.code}`{f' `{machine}`' if machine else ''}: {text}"


def _plain(value: Any) -> Any:
    """Dicts, lists and text of the plainest types: drf-spectacular leaves lazy strings and its own mappings."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, bool | int | float) else str(value)


_TEXT = {"type": "string"}
_COMMON = {
    "code": _TEXT,
    "details": {"type": "object", "additionalProperties": True},
    "correlation_id": _TEXT,
    "service": _TEXT,
    "timestamp": {"type": "string", "format": "date-time"},
}
_ERROR = {"code": _TEXT, "message": _TEXT, **_COMMON}
_PROBLEM = {
    "type": {"type": "string", "format": "uri-reference"},
    "title": _TEXT,
    "status": {"type": "integer"},
    "detail": _TEXT,
    **_COMMON,
}
_LOCATED = {"type": "object", "properties": {"detail": _TEXT, "pointer": _TEXT, "parameter": _TEXT, "header": _TEXT}}
_ERROR_SCHEMAS = {
    "Error": {
        "type": "object",
        "properties": {"error": {"type": "object", "properties": _ERROR, "required": list(_ERROR)}},
        "required": ["error"],
    },
    "Problem": {
        "type": "object",
        "properties": {
            **_PROBLEM,
            "instance": {"type": "string", "format": "uri-reference"},
            "errors": {"type": "array", "items": _LOCATED},
        },
        "required": list(_PROBLEM),
    },
}
