"""REST framework's views, strict about their query: `StrictAPIView`, `StrictViewSet`."""

from typing import Any

from rest_framework.request import Request
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from bandstand.errors import PermissionDenied
from bandstand.web.etags import not_modified
from bandstand.web.openapi import endpoint_of
from bandstand.web.queryparams import read_query

__all__ = ["PAGINATION_PARAMETERS", "StrictAPIView", "StrictViewSet"]

PAGINATION_PARAMETERS = frozenset({"page", "page_size", "cursor"})


class _Strict:
    """Reads the declared query into `self.query` once the caller is known and admitted; leaves no key claimed."""

    query: Any

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Admit the request, then read its query."""
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        endpoint = endpoint_of(self, request.method or "")
        used_by_staff = endpoint.staff_query.intersection(request.query_params)
        if used_by_staff and not getattr(request.user, "is_staff", False):
            raise PermissionDenied
        besides = PAGINATION_PARAMETERS if endpoint.paginated else ()
        self.query = read_query(request.query_params, into=endpoint.query, besides=besides)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Release the Idempotency-Key of a handler that returned without answering its claim; 304 for a known ETag."""
        claim = getattr(getattr(request, "_request", request), "idempotency_claim", None)
        if claim is not None:
            claim.release()
        response = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[misc]
        if request.method == "GET" and response.status_code == 200 and "ETag" in response:
            return not_modified(request, response["ETag"]) or response
        return response


class StrictAPIView(_Strict, APIView):
    """A view of one route; `self.query` is the struct that its `Endpoint` declares."""


class StrictViewSet(_Strict, GenericViewSet[Any]):
    """Views of one resource; `self.query` is the struct that the action's `Endpoint` declares."""
