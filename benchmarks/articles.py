"""The three middleware of the articles, as they are written there: what the combined middleware is measured against."""

import json
import logging
import time
import uuid
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin
from prometheus_client import Counter, Histogram

logger = logging.getLogger(__name__)
COUNT = Counter("http_requests_total", "requests", ["method", "endpoint", "status"])
DURATION = Histogram("http_request_duration_seconds", "duration", ["method", "endpoint"])


class RequestTracking(MiddlewareMixin):
    def process_request(self, request: Any) -> None:
        request.correlation_id = request.META.get("HTTP_X_CORRELATION_ID", str(uuid.uuid4()))
        request.start_time = time.time()
        logger.info(f"Request started: {request.method} {request.path} [{request.correlation_id}]")  # noqa: G004

    def process_response(self, request: Any, response: HttpResponse) -> HttpResponse:
        response["X-Correlation-ID"] = request.correlation_id
        took = time.time() - request.start_time
        said = f"{request.method} {request.path} [{request.correlation_id}] - {response.status_code} ({took:.3f}s)"
        logger.info(f"Request completed: {said}")  # noqa: G004
        return response


class RequestLogging:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.logger = logging.getLogger("user-service")

    def log(self, message: str, **fields: Any) -> None:
        named = {"service": "users", "version": "1.0.0", "environment": "bench"}
        self.logger.info(json.dumps({"timestamp": time.time(), **named, "message": message, **fields}))

    def __call__(self, request: Any) -> HttpResponse:
        started = time.time()
        forwarded = request.META.get("HTTP_X_FORWARDED_FOR")
        address = forwarded.split(",")[0] if forwarded else request.META.get("REMOTE_ADDR")
        common = {"method": request.method, "path": request.path, "correlation_id": request.correlation_id}
        self.log("Request started", **common, user_agent=request.META.get("HTTP_USER_AGENT"), ip_address=address)
        response = self.get_response(request)
        took = (time.time() - started) * 1000
        self.log("Request completed", **common, status_code=response.status_code, duration_ms=took)
        return response


class Metrics:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.time()
        response = self.get_response(request)
        COUNT.labels(method=request.method, endpoint=request.path, status=response.status_code).inc()
        DURATION.labels(method=request.method, endpoint=request.path).observe(time.time() - started)
        return response
