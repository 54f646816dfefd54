"""What goes into Django's setting `REST_FRAMEWORK`, and the JSON renderer and negotiation it names.

Nothing here imports REST framework: a settings module may call `rest_settings`, and REST framework imports this module
while it is itself being imported.
"""

from typing import Any

import msgspec

from bandstand.errors import NotAcceptable
from bandstand.web.negotiation import accepts_json

__all__ = ["JSONNegotiation", "JSONRenderer", "rest_settings"]

_encode = msgspec.json.Encoder(enc_hook=str).encode


def rest_settings() -> dict[str, Any]:
    """The value of `REST_FRAMEWORK`: deny by default, strict JSON in, our envelope out, no suffixes, no forms."""
    return {
        "DEFAULT_AUTHENTICATION_CLASSES": ["bandstand.auth.rest.BearerAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["bandstand.auth.rest.Closed"],
        "DEFAULT_PARSER_CLASSES": ["bandstand.web.parsers.StrictJSONParser"],
        "DEFAULT_RENDERER_CLASSES": ["bandstand.web.rest.JSONRenderer"],
        "DEFAULT_CONTENT_NEGOTIATION_CLASS": "bandstand.web.rest.JSONNegotiation",
        "DEFAULT_PAGINATION_CLASS": "bandstand.web.pagination.Pagination",
        "DEFAULT_SCHEMA_CLASS": "bandstand.web.openapi.LazySchema",
        "DEFAULT_METADATA_CLASS": None,
        "EXCEPTION_HANDLER": "bandstand.web.problems.exception_handler",
        "TEST_REQUEST_DEFAULT_FORMAT": "json",
        "UNAUTHENTICATED_USER": None,
        "UNAUTHENTICATED_TOKEN": None,
        "URL_FORMAT_OVERRIDE": None,
        "FORMAT_SUFFIX_KWARG": None,
    }


class JSONRenderer:
    """JSON by msgspec; ids, times and lazy strings are written as text."""

    media_type = "application/json"
    format = "json"
    charset: str | None = None
    render_style = "text"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:  # noqa: ARG002
        """The body for *data*; None (204) is empty."""
        return b"" if data is None else _encode(data)


class JSONNegotiation:
    """Choose parser and renderer. There is no `?format=` and no suffix; problem+json counts as JSON."""

    def select_parser(self, request: Any, parsers: list[Any]) -> Any:
        """The parser of the body's media type, or None (415)."""
        base = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == base), None)

    def select_renderer(self, request: Any, renderers: list[Any], format_suffix: str | None = None) -> tuple[Any, str]:  # noqa: ARG002
        """The renderer that the Accept header allows. Raises NotAcceptable."""
        accept = request.META.get("HTTP_ACCEPT")
        for renderer in renderers:
            is_json = renderer.media_type == JSONRenderer.media_type
            if accepts_json(accept) if is_json else renderer.media_type in (accept or ""):
                return renderer, renderer.media_type
        raise NotAcceptable
