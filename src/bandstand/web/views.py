"""REST framework's views, strict about their query: `StrictAPIView`, `StrictViewSet`."""

from typing import Any

from rest_framework.request import Request
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from bandstand import context
from bandstand.errors import PermissionDenied
from bandstand.web.openapi import endpoint_of
from bandstand.web.queryparams import read_query

__all__ = ["PAGINATION_PARAMETERS", "StrictAPIView", "StrictViewSet"]

PAGINATION_PARAMETERS = frozenset({"page", "page_size", "cursor"})


class _StrictQuery:
    """Reads the declared query into `self.query` once the caller is known and admitted."""

    query: Any

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Admit the request, then read its query."""
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        endpoint = endpoint_of(self, request.method or "")
        if endpoint.staff_query and not endpoint.staff_query.isdisjoint(request.query_params):
            principal = context.current().principal
            if principal is None or not principal.is_staff:
                raise PermissionDenied
        besides = PAGINATION_PARAMETERS if endpoint.paginated else ()
        self.query = read_query(request.query_params, into=endpoint.query, besides=besides)


class StrictAPIView(_StrictQuery, APIView):
    """A view of one route; `self.query` is the struct that its `Endpoint` declares."""


class StrictViewSet(_StrictQuery, GenericViewSet[Any]):
    """Views of one resource; `self.query` is the struct that the action's `Endpoint` declares."""
