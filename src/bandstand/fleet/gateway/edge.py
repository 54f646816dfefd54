"""Envoy's resources, as plain data: bootstrap, listener, routes, clusters, endpoints. Pure functions."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bandstand.fleet.gateway.replies import local_reply_config
from bandstand.fleet.routes import Route, by_specificity

__all__ = ["bootstrap", "cluster", "endpoints", "listener", "resources", "route_table", "watched"]

_CONFIG = "type.googleapis.com/envoy.config."
_EXTENSION = "type.googleapis.com/envoy.extensions."
_FILTERS = _EXTENSION + "filters.http."
_BODY_LIMIT_BYTES = 1024 * 1024

# What a client must not say about itself, its route or its time: each service decides from the token alone.
_STRIPPED_PREFIXES = ("x-user-", "x-service-", "x-internal-", "x-authenticated-", "x-forwarded-user")
_STRIPPED = (
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-http-method-override",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
    "x-timeout-ms",
)


def watched(folder: Path) -> dict[str, Any]:
    """A source that reloads when the one file in *folder* is replaced by rename."""
    source = {"path": str(folder / "resources.json"), "watched_directory": {"path": str(folder)}}
    return {"path_config_source": source, "resource_api_version": "V3"}


def bootstrap(*, xds: Path, admin: Path) -> dict[str, Any]:
    """The static part: where the files are, and an administration socket for the launcher alone."""
    return {
        "node": {"id": "gateway", "cluster": "bandstand"},
        "admin": {"address": {"pipe": {"path": str(admin), "mode": 0o600}}},
        "dynamic_resources": {"lds_config": watched(xds / "lds"), "cds_config": watched(xds / "cds")},
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": {
                        "@type": _EXTENSION + "resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                        "max_active_downstream_connections": 4096,
                    },
                }
            ]
        },
        "layered_runtime": {
            "layers": [
                # The pattern of a correlation id is larger than the cautious default allows.
                {"name": "limits", "static_layer": {"re2.max_program_size.error_level": 2000}},
            ]
        },
    }


def listener(*, host: str, port: int, xds: Path, access_log: Path | None) -> dict[str, Any]:
    """The one public listener. It never shares its port, so a second fleet on it fails instead of stealing requests."""
    manager = {"name": "http", "typed_config": _connection_manager(xds, access_log)}
    return {
        "@type": _CONFIG + "listener.v3.Listener",
        "name": "public",
        "address": {"socket_address": {"address": host, "port_value": port}},
        "enable_reuse_port": False,
        "filter_chains": [{"filters": [manager]}],
    }


def _connection_manager(xds: Path, access_log: Path | None) -> dict[str, Any]:
    kind = "filters.network.http_connection_manager.v3.HttpConnectionManager"
    return {
        "@type": _EXTENSION + kind,
        "stat_prefix": "public",
        "rds": {"route_config_name": "routes", "config_source": watched(xds / "rds")},
        "use_remote_address": True,
        "always_set_request_id_in_response": True,
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "early_header_mutation_extensions": [_stripping()],
        "server_header_transformation": "PASS_THROUGH",
        "request_timeout": "15s",
        "request_headers_timeout": "10s",
        "common_http_protocol_options": {
            "idle_timeout": "60s",
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        "local_reply_config": local_reply_config(),
        "http_filters": _http_filters(),
        "access_log": [_access_log(access_log)] if access_log else [],
    }


def _stripping() -> dict[str, Any]:
    """Runs before anything reads the headers, so that the address Envoy notes is the only one."""
    removals: list[dict[str, Any]] = [
        {"remove_on_match": {"key_matcher": {"prefix": prefix}}} for prefix in _STRIPPED_PREFIXES
    ]
    removals += [{"remove": name} for name in _STRIPPED]
    return {
        "name": "strip",
        "typed_config": {
            "@type": _EXTENSION + "http.early_header_mutation.header_mutation.v3.HeaderMutation",
            "mutations": removals,
        },
    }


def _http_filters() -> list[dict[str, Any]]:
    named = {"header": {"key": "x-correlation-id", "value": "%REQ(X-REQUEST-ID)%"}, "append_action": "ADD_IF_ABSENT"}
    return [
        {
            "name": "headers",
            "typed_config": {
                "@type": _FILTERS + "header_mutation.v3.HeaderMutation",
                "mutations": {"request_mutations": [{"append": named}]},
            },
        },
        # Gives a chunked body its length, which WSGI needs, and refuses what is too large before a service sees it.
        {
            "name": "buffer",
            "typed_config": {"@type": _FILTERS + "buffer.v3.Buffer", "max_request_bytes": _BODY_LIMIT_BYTES},
        },
        {
            "name": "router",
            "typed_config": {"@type": _FILTERS + "router.v3.Router", "suppress_envoy_headers": True},
        },
    ]


def _access_log(path: Path) -> dict[str, Any]:
    fields = {
        "timestamp": "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%",
        "event": "request.answered",
        "service": "gateway",
        "correlation_id": "%REQ(X-CORRELATION-ID)%",
        "request_id": "%REQ(X-REQUEST-ID)%",
        "method": "%REQ(:METHOD)%",
        "route": "%ROUTE_NAME%",
        "status": "%RESPONSE_CODE%",
        "flags": "%RESPONSE_FLAGS%",
        "duration_ms": "%DURATION%",
        "request_bytes": "%BYTES_RECEIVED%",
        "response_bytes": "%BYTES_SENT%",
        "upstream": "%UPSTREAM_HOST%",
    }
    return {
        "name": "access",
        "typed_config": {
            "@type": _EXTENSION + "access_loggers.file.v3.FileAccessLog",
            "path": str(path),
            "log_format": {"json_format": fields},
        },
    }


def route_table(routes: Iterable[Route], *, timeout_seconds: int) -> dict[str, Any]:
    """Declared routes, the gateway's own `/healthz`, and 404 for everything else."""
    health = {
        "name": "healthz",
        "match": {"path": "/healthz", "headers": [_method("GET")]},
        "direct_response": {"status": 200, "body": {"inline_string": '{"status": "ok"}'}},
        "response_headers_to_add": [{"header": {"key": "content-type", "value": "application/json"},
                                     "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}],
    }  # fmt: skip
    declared = [entry for route in by_specificity(routes) for entry in _entries(route, timeout_seconds)]
    nothing = {"name": "undeclared", "match": {"prefix": "/"}, "direct_response": {"status": 404}}
    host = {"name": "all", "domains": ["*"], "routes": [health, *declared, nothing]}
    return {
        "@type": _CONFIG + "route.v3.RouteConfiguration",
        "name": "routes",
        "virtual_hosts": [host],
        "response_headers_to_remove": ["server"],
        # A route may come before its cluster; then it answers 503 until the cluster is there.
        "validate_clusters": False,
    }


def _entries(route: Route, timeout_seconds: int) -> list[dict[str, Any]]:
    """One entry for safe methods, which may be sent again whatever happened, and one for the others."""
    methods = [_method("GET")] if route.method == "GET" else [_method(route.method)] if route.method else []
    always = "connect-failure,refused-stream,reset-before-request"
    unsafe = _entry(route, methods, timeout_seconds, retry_on=always)
    safe = _entry(route, [_method("GET")], timeout_seconds, retry_on=f"{always},reset")
    return [safe] if route.method == "GET" else [unsafe] if route.method else [safe, unsafe]


def _entry(route: Route, headers: list[dict[str, Any]], timeout_seconds: int, *, retry_on: str) -> dict[str, Any]:
    hosts = {"@type": _EXTENSION + "retry.host.previous_hosts.v3.PreviousHostsPredicate"}
    return {
        "name": f"{route.method or 'any'} {route.path}",
        "match": {**_path(route), "headers": headers},
        "route": {
            "cluster": route.service,
            "timeout": f"{timeout_seconds}s",
            "retry_policy": {
                "retry_on": retry_on,
                "num_retries": 2,
                "retry_host_predicate": [{"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": hosts}],
                "host_selection_retry_max_attempts": 5,
                "retry_back_off": {"base_interval": "0.005s", "max_interval": "0.05s"},
            },
        },
    }


def _path(route: Route) -> dict[str, Any]:
    if route.is_template:
        return {"safe_regex": {"regex": route.pattern()}}
    if route.is_subtree:
        return {"path_separated_prefix": route.path.rstrip("/")}
    return {"path": route.path}


def _method(name: str) -> dict[str, Any]:
    pattern = "GET|HEAD" if name == "GET" else name
    return {"name": ":method", "string_match": {"safe_regex": {"regex": pattern}}}


def cluster(name: str, *, xds: Path) -> dict[str, Any]:
    """One service as the gateway sees it. Readiness is the launcher's to judge; outliers are the gateway's."""
    return {
        "@type": _CONFIG + "cluster.v3.Cluster",
        "name": name,
        "type": "EDS",
        "connect_timeout": "0.5s",
        "lb_policy": "LEAST_REQUEST",
        "eds_cluster_config": {"eds_config": watched(xds / f"eds-{name}")},
        # The default, three concurrent retries, turns the loss of one instance into seconds of 503.
        "circuit_breakers": {"thresholds": [{
            "max_connections": 1024, "max_pending_requests": 1024, "max_requests": 2048,
            "retry_budget": {"budget_percent": {"value": 25}, "min_retry_concurrency": 32},
        }]},
        "outlier_detection": {
            "split_external_local_origin_errors": True, "consecutive_local_origin_failure": 2, "interval": "1s",
            "base_ejection_time": "5s", "max_ejection_percent": 50, "enforcing_consecutive_5xx": 0,
            "enforcing_success_rate": 0,
        },
        "ignore_health_on_host_removal": True,
    }  # fmt: skip


def endpoints(name: str, addresses: Iterable[tuple[str, int]]) -> dict[str, Any]:
    """The ready instances of a service."""
    listed = [
        {"endpoint": {"address": {"socket_address": {"address": host, "port_value": port}}}} for host, port in addresses
    ]
    return {
        "@type": _CONFIG + "endpoint.v3.ClusterLoadAssignment",
        "cluster_name": name,
        "endpoints": [{"lb_endpoints": listed}],
    }


def resources(items: Iterable[Mapping[str, Any]], *, version: str) -> dict[str, Any]:
    """The content of one watched file."""
    return {"version_info": version, "resources": list(items)}
