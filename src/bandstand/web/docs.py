"""The pages that show a service's API: Swagger UI, Redoc and the document itself, all without the internet.

    path("api/v1/", include(documentation_routes("orders")))   # …/docs/orders/, …/docs/orders/redoc/, …/schema/orders/

The scripts come from the drf-spectacular-sidecar wheel and are served from there in every environment, so that neither
a content delivery network nor `collectstatic` is needed.
"""

import functools
import hashlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import msgspec
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path

from bandstand.auth import public
from bandstand.errors import MethodNotAllowed, NotFound
from bandstand.web.etags import not_modified, tagged
from bandstand.web.openapi import document
from bandstand.web.problems import from_exception
from bandstand.web.routers import routes

__all__ = ["documentation_routes"]

View = Callable[..., HttpResponseBase]

_ASSETS = {
    "swagger-ui.css": ("swagger-ui-dist/swagger-ui.css", "text/css"),
    "swagger-ui-bundle.js": ("swagger-ui-dist/swagger-ui-bundle.js", "text/javascript"),
    "favicon-32x32.png": ("swagger-ui-dist/favicon-32x32.png", "image/png"),
    "redoc.standalone.js": ("redoc/bundles/redoc.standalone.js", "text/javascript"),
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self' data:; worker-src blob:; base-uri 'none'; frame-ancestors 'none'"
)
_START = b"""const schema = document.currentScript.dataset.schema;
if (window.SwaggerUIBundle) {
  SwaggerUIBundle({url: schema, dom_id: "#api", deepLinking: true, validatorUrl: null});
} else {
  Redoc.init(schema, {}, document.getElementById("api"));
}
"""
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{service}</title>
<link rel="icon" href="{root}assets/favicon-32x32.png">
{style}
<div id="api"></div>
<script src="{root}assets/{script}"></script>
<script src="{root}assets/start.js" data-schema="{schema}"></script>
</html>
"""


def documentation_routes(service: str) -> list[URLPattern]:
    """The routes of document and pages, below the API's root; open to anybody, as the contract says."""

    def page(request: HttpRequest, *, script: str, style: str = "") -> HttpResponseBase:
        prefix = request.path.partition(f"/docs/{service}")[0]
        root = f"{prefix}/docs/{service}/"
        link = f'<link rel="stylesheet" href="{root}assets/{style}">' if style else ""
        schema = f"{prefix}/schema/{service}/"
        text = _PAGE.format(service=service, root=root, script=script, style=link, schema=schema)
        return HttpResponse(text, headers={"Content-Security-Policy": _POLICY})

    swagger = _guarded(functools.partial(page, script="swagger-ui-bundle.js", style="swagger-ui.css"))
    redoc = _guarded(functools.partial(page, script="redoc.standalone.js"))
    return [
        *routes(f"schema/{service}/", _guarded(_document), name=f"{service}-schema"),
        *routes(f"docs/{service}/", swagger, name=f"{service}-docs"),
        *routes(f"docs/{service}/redoc/", redoc, name=f"{service}-redoc"),
        path(f"docs/{service}/assets/<str:name>", _guarded(_asset)),
    ]


def _guarded(view: View) -> View:
    @public
    def guarded(request: HttpRequest, **captured: str) -> HttpResponseBase:
        try:
            _only_reads(request)
            return view(request, **captured)
        except Exception as error:  # noqa: BLE001 - the edge of these plain views
            return from_exception(error, request)

    return guarded


def _only_reads(request: HttpRequest) -> None:
    if request.method not in ("GET", "HEAD"):
        raise MethodNotAllowed


def _document(request: HttpRequest) -> HttpResponseBase:
    body, tag = _encoded()
    return not_modified(request, tag) or tagged(HttpResponse(body, content_type="application/json"), tag)


@functools.cache
def _encoded() -> tuple[bytes, str]:
    body = msgspec.json.encode(document())
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def _asset(request: HttpRequest, *, name: str) -> HttpResponseBase:  # noqa: ARG001 - a view
    response: HttpResponseBase
    if name == "start.js":
        response = HttpResponse(_START, content_type="text/javascript")
    else:
        found = _ASSETS.get(name)
        root = _sidecar()
        if found is None or root is None:
            raise NotFound
        response = FileResponse((root / found[0]).open("rb"), content_type=found[1])
    response["Cache-Control"] = "public, max-age=86400"
    response["X-Content-Type-Options"] = "nosniff"
    return response


@functools.cache
def _sidecar() -> Path | None:
    """The folder of the scripts, found without importing the package; None where the extra is not installed."""
    spec = find_spec("drf_spectacular_sidecar")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "static" / "drf_spectacular_sidecar"
