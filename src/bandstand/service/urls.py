"""The root of every service's routes: the service's own, its API documents, its admin, and errors in the envelope."""

from django.apps import apps
from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path, re_path

from bandstand.auth import public
from bandstand.config import identity
from bandstand.web import problems
from bandstand.web.docs import documentation_routes

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

handler400 = problems.bad_request
handler403 = problems.permission_denied
handler404 = problems.not_found
handler500 = problems.server_error


def _admin() -> list[URLPattern | URLResolver]:
    if not apps.is_installed("django.contrib.admin"):
        return []
    from django.contrib import admin  # noqa: PLC0415 - heavy, and only where it is switched on
    from django.contrib.staticfiles.views import serve  # noqa: PLC0415

    assets = public(serve)
    return [path("admin/static/<path:path>", assets, {"insecure": settings.DEBUG}), path("admin/", admin.site.urls)]


urlpatterns: list[URLPattern | URLResolver] = [
    path("", include(f"{identity().name}.urls")),
    path("api/v1/", include(documentation_routes(identity().name))),
    *_admin(),
    re_path(r"", public(problems.page_not_found)),
]
