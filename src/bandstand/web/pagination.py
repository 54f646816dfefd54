"""Lists in pages: `{"results": [...], "pagination": {...}}`, by number or by cursor.

Pages by number count the rows and skip over them, which suits people and small tables. `?cursor=` goes on behind the
last row seen (keyset), which costs the same at any depth and neither skips nor repeats rows while others are added.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.core import signing
from django.core.exceptions import ValidationError
from django.db.models import Field, Q, QuerySet
from django.http import QueryDict
from rest_framework.request import Request
from rest_framework.response import Response

from bandstand.errors import NotFound, ValidationFailed
from bandstand.web.config import web_settings
from bandstand.web.queryparams import read_integer

__all__ = ["Pagination"]

_signer = signing.Signer(salt="bandstand.web.cursor")
_LAST_PAGE = 10**9


@dataclass(frozen=True, kw_only=True)
class _Cursor:
    """A place between two rows: the values of the ordering's fields there, and the direction to read in."""

    ordering: tuple[str, ...]
    values: tuple[str, ...]
    backwards: bool

    def text(self) -> str:
        return _signer.sign_object([list(self.ordering), list(self.values), self.backwards])


class Pagination:
    """REST framework's paginator of every list."""

    _pagination: dict[str, Any]

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:  # noqa: ARG002
        """The rows of the page that the query asks for. Raises ValidationFailed, or NotFound behind the last page."""
        query = request.query_params
        size = _positive(query, "page_size", default=web_settings().page_size, limit=web_settings().page_size_limit)
        if "cursor" not in query:
            number = _positive(query, "page", default=1, limit=_LAST_PAGE)
            return self._numbered(queryset, request, size=size, number=number)
        if "page" in query:
            raise _refused("page", "Contradicts cursor.")
        if not isinstance(queryset, QuerySet):
            raise _refused("cursor", "This list has no cursors.")
        return self._following(queryset, query["cursor"], size=size)

    def get_paginated_response(self, data: Any) -> Response:
        """The answer for the rows that `paginate_queryset` chose, once they are serialized."""
        return Response({"results": data, "pagination": self._pagination})

    def _numbered(self, rows: Any, request: Request, *, size: int, number: int) -> list[Any]:
        total = rows.count() if isinstance(rows, QuerySet) else len(rows)
        pages = max(1, -(-total // size))
        if number > pages:
            raise NotFound("There is no such page.")
        self._pagination = {
            "page": number,
            "page_size": size,
            "total_items": total,
            "total_pages": pages,
            "next": _link(request, number + 1) if number < pages else None,
            "previous": _link(request, number - 1) if number > 1 else None,
        }
        ordered = rows.order_by(*_ordering(rows)) if isinstance(rows, QuerySet) else rows
        return list(ordered[(number - 1) * size : number * size])

    def _following(self, rows: QuerySet[Any], text: str, *, size: int) -> list[Any]:
        ordering = _ordering(rows)
        cursor = _read(text, ordering) if text else None
        backwards = cursor is not None and cursor.backwards
        effective = tuple(_reversed(name) for name in ordering) if backwards else ordering
        if cursor is not None:
            rows = rows.filter(_behind(rows, cursor, effective))
        found = list(rows.order_by(*effective)[: size + 1])
        more, page = len(found) > size, found[:size]
        if backwards:
            page.reverse()
        before = _cursor_at(page[0], ordering, backwards=True) if page and (more if backwards else cursor) else None
        after = _cursor_at(page[-1], ordering, backwards=False) if page and (more or backwards) else None
        self._pagination = {"page_size": size, "next_cursor": after, "previous_cursor": before}
        return page

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """How drf-spectacular describes a page of *schema*."""
        nullable = {"type": ["string", "null"]}
        count = {"type": "integer", "minimum": 0}
        numbered = {
            "page": {"type": "integer", "minimum": 1},
            "page_size": {"type": "integer", "minimum": 1, "maximum": web_settings().page_size_limit},
            "total_items": count,
            "total_pages": {"type": "integer", "minimum": 1},
            "next": nullable,
            "previous": nullable,
        }
        cursors = {"page_size": numbered["page_size"], "next_cursor": nullable, "previous_cursor": nullable}
        forms = [
            {"type": "object", "properties": form, "required": list(form), "additionalProperties": False}
            for form in (numbered, cursors)
        ]
        return {
            "type": "object",
            "properties": {"results": schema, "pagination": {"oneOf": forms}},
            "required": ["results", "pagination"],
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:  # noqa: ARG002
        """The query parameters, for drf-spectacular."""
        limit = web_settings().page_size_limit
        schemas: dict[str, dict[str, Any]] = {
            "page": {"type": "integer", "minimum": 1},
            "page_size": {"type": "integer", "minimum": 1, "maximum": limit, "default": web_settings().page_size},
            "cursor": {"type": "string", "description": "Empty to begin; then `next_cursor` of the page before."},
        }
        return [
            {"name": name, "in": "query", "required": False, "schema": schema, "allowEmptyValue": name == "cursor"}
            for name, schema in schemas.items()
        ]


def _positive(query: QueryDict, name: str, *, default: int, limit: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    try:
        number = read_integer(text)
    except ValueError as error:
        raise _refused(name, str(error)) from error
    if not 1 <= number <= limit:
        raise _refused(name, f"Expected 1 to {limit}.")
    return number


def _refused(name: str, sentence: str) -> ValidationFailed:
    return ValidationFailed("The query is not valid.", field_errors={name: [sentence]}, **{"in": "query"})


def _link(request: Request, number: int) -> str:
    """A reference relative to the host: behind a gateway the service does not know its own public name."""
    query = request.query_params.copy()
    query["page"] = str(number)
    return f"{request.path}?{query.urlencode()}"


def _ordering(rows: QuerySet[Any]) -> tuple[str, ...]:
    """The ordering of *rows* made total by the key; without one newest first, as UUIDv7 keys sort by time."""
    given: Sequence[Any] = rows.query.order_by or rows.model._meta.ordering  # noqa: SLF001 - Django's documented Meta API
    names = tuple(str(name) for name in given)
    if not names:
        return ("-pk",)
    key = rows.model._meta.pk.name  # noqa: SLF001
    return names if {name.lstrip("-") for name in names} & {"pk", key} else (*names, "pk")


def _reversed(name: str) -> str:
    return name.removeprefix("-") if name.startswith("-") else f"-{name}"


def _field(rows: QuerySet[Any], name: str) -> "Field[Any, Any]":
    meta = rows.model._meta  # noqa: SLF001
    name = name.lstrip("-")
    field: Field[Any, Any] = meta.pk if name == "pk" else meta.get_field(name)
    return field


def _cursor_at(row: Any, ordering: tuple[str, ...], *, backwards: bool) -> str:
    rows = type(row)._default_manager.none()  # noqa: SLF001
    values = tuple(_field(rows, name).value_to_string(row) for name in ordering)
    return _Cursor(ordering=ordering, values=values, backwards=backwards).text()


def _read(text: str, ordering: tuple[str, ...]) -> _Cursor:
    """Check signature and ordering: a cursor of another list, or of the list in another order, is no cursor here."""
    try:
        given, values, backwards = _signer.unsign_object(text)
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise _refused("cursor", "Not a cursor of this list.") from error
    if tuple(given) != ordering:
        raise _refused("cursor", "Not a cursor of this list in this order.")
    return _Cursor(ordering=ordering, values=tuple(values), backwards=backwards)


def _behind(rows: QuerySet[Any], cursor: _Cursor, effective: tuple[str, ...]) -> Q:
    """`a > x OR (a = x AND b > y) OR …`: row-value comparison cannot mix directions."""
    alternatives, equal = [], Q()
    for name, text in zip(effective, cursor.values, strict=True):
        field = _field(rows, name)
        try:
            value = field.to_python(text)
        except ValidationError as error:
            raise _refused("cursor", "Not a cursor of this list.") from error
        operator = "lt" if name.startswith("-") else "gt"
        alternatives.append(equal & Q(**{f"{field.name}__{operator}": value}))
        equal &= Q(**{field.name: value})
    return reduce(or_, alternatives)
