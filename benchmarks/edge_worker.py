"""One variant of the measurement in `bench_edge.py`: a Django project that runs batches when told to on stdin."""

import io
import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

VARIANT, PATH, COUNT, FOLDER = sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
LOG = FOLDER / f"{VARIANT}-{PATH.strip('/')}.log"

MIDDLEWARE = {
    "bare": [],
    "bandstand": ["bandstand.web.middleware.EdgeMiddleware"],
    "articles": ["articles.RequestTracking", "articles.RequestLogging", "articles.Metrics"],
    "peers": [
        "django_prometheus.middleware.PrometheusBeforeMiddleware",
        "django_structlog.middlewares.RequestMiddleware",
        "django_prometheus.middleware.PrometheusAfterMiddleware",
    ],
}
APPS = {"peers": ["django_prometheus", "django_structlog"]}


def configure() -> None:
    """Set Django up with the middleware of this variant; each writes its log to a file."""
    import django
    from django.conf import settings

    settings.configure(
        SECRET_KEY="for-measuring-only",
        ALLOWED_HOSTS=["users"],
        ROOT_URLCONF="edge_views",
        MIDDLEWARE=list(MIDDLEWARE[VARIANT]),
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework", *APPS.get(VARIANT, [])],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(FOLDER / "list.sqlite3")}},
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": [],
            "DEFAULT_PERMISSION_CLASSES": [],
            "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
            "UNAUTHENTICATED_USER": None,
        },
        BANDSTAND={"SERVICE": {"NAME": "users", "VERSION": "1.0.0", "ENVIRONMENT": "bench"}},
        LOGGING_CONFIG=None,
        USE_TZ=True,
    )
    {"bandstand": log_bandstand, "articles": log_articles, "peers": log_peers}.get(VARIANT, lambda: None)()
    django.setup()


def log_bandstand() -> None:
    """Log as `logging_config` sets it up, into the file."""
    from bandstand.observability.logging import JsonFormatter, LineHandler

    handler = LineHandler(LOG.open("a"))
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def log_articles() -> None:
    """Log as the articles set it up: JSON by a format string."""
    handler = logging.StreamHandler(LOG.open("a"))
    line = '{"timestamp": "%(asctime)s", "level": "%(levelname)s", "service": "users", "message": "%(message)s"}'
    handler.setFormatter(logging.Formatter(line))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def log_peers() -> None:
    """Set up OpenTelemetry and structlog as their documentation advises; spans go to an exporter that drops them."""
    import structlog
    from opentelemetry import trace
    from opentelemetry.instrumentation.django import DjangoInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class Dropping(SpanExporter):
        def export(self, _: Any) -> Any:
            return SpanExportResult.SUCCESS

    provider = TracerProvider(resource=Resource({"service.name": "users"}))
    provider.add_span_processor(BatchSpanProcessor(Dropping()))
    trace.set_tracer_provider(provider)
    DjangoInstrumentor().instrument()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.filter_by_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[logging.StreamHandler(LOG.open("a"))])


def environ() -> dict[str, Any]:
    """A request as it comes from the gateway."""
    return {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": PATH,
        "QUERY_STRING": "",
        "SERVER_NAME": "users",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "10.0.0.9",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input": io.BytesIO(b""),
        "HTTP_HOST": "users",
        "HTTP_USER_AGENT": "bench/1",
        "HTTP_ACCEPT": "application/json",
        "HTTP_TRACEPARENT": f"00-{'ab' * 16}-{'cd' * 8}-01",
        "HTTP_X_CORRELATION_ID": "6f1f4f3e-7a1c-4a53-9a53-2f2b7b8a4c11",
        "HTTP_X_REQUEST_ID": "1c9f4f3e-7a1c-4a53-9a53-2f2b7b8a4c22",
    }


def main() -> None:
    """Answer each line on stdin with the CPU microseconds per request of one batch."""
    out = os.fdopen(os.dup(1), "w")
    configure()
    from django.core.handlers.wsgi import WSGIHandler

    handler = WSGIHandler()
    template = environ()

    def start_response(status: str, *_: Any) -> None:
        assert status.startswith("200"), status

    def batch(count: int) -> None:
        for _ in range(count):
            response = handler(template.copy(), start_response)
            b"".join(response)
            response.close()

    batch(max(50, COUNT // 4))
    print("ready", file=out, flush=True)
    for _ in sys.stdin:
        started = time.process_time()
        batch(COUNT)
        took = time.process_time() - started
        print(json.dumps(took / COUNT * 1e6), file=out, flush=True)
        if LOG.exists():
            os.truncate(LOG, 0)


if __name__ == "__main__":
    main()
