"""The issuer's public keys, for whoever verifies its tokens."""

import json

from django.http import HttpRequest, HttpResponse

from bandstand.auth.policy import public
from bandstand.auth.principals import key_ring
from bandstand.errors import MethodNotAllowed

__all__ = ["jwks"]


@public
def jwks(request: HttpRequest) -> HttpResponse:
    """Answer the JWKS of this service; verifiers may keep it for a minute."""
    if request.method not in ("GET", "HEAD"):
        raise MethodNotAllowed
    answer = HttpResponse(json.dumps(key_ring().jwks), content_type="application/json")
    answer["Cache-Control"] = "public, max-age=60"
    return answer
