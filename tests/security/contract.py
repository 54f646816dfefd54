"""The shop's operations as its OpenAPI documents state them: the tests are generated from these."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

__all__ = ["OPERATIONS", "Operation", "who_may"]

ROOT = Path(__file__).parent.parent.parent
_METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method of one route. `schema` is that of its body with every reference resolved; None without a body."""

    id: str
    service: str
    method: str
    path: str
    is_public: bool
    parameter: str | None
    needs_key: bool
    statuses: frozenset[int]
    schema: Mapping[str, Any] | None

    def at(self, identifier: str) -> str:
        """The path with *identifier* for its parameter."""
        return re.sub(r"\{\w+\}", identifier, self.path)


def _operations() -> Iterator[Operation]:
    for document in sorted((ROOT / "contracts" / "openapi").glob("*.yaml")):
        described = yaml.load(document.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        for path, methods in described["paths"].items():
            for method in _METHODS:
                if method in methods:
                    yield _operation(document.stem, method, path, methods[method], described)


def _operation(service: str, method: str, path: str, said: Mapping[str, Any], document: Mapping[str, Any]) -> Operation:
    parameter = re.search(r"\{(\w+)\}", path)
    body = said.get("requestBody")
    schema = _resolved(body["content"]["application/json"]["schema"], document) if body else None
    keys = [entry for entry in said.get("parameters", ()) if entry["name"] == "Idempotency-Key"]
    return Operation(
        id=said["operationId"],
        service=service,
        method=method.upper(),
        path=path,
        is_public={} in said["security"],
        parameter=parameter[1] if parameter else None,
        needs_key=any(entry.get("required") for entry in keys),
        statuses=frozenset(map(int, said["responses"])),
        schema=schema,
    )


def _resolved(schema: Any, document: Mapping[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_resolved(entry, document) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _resolved(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    return {name: _resolved(value, document) for name, value in schema.items()}


OPERATIONS = {operation.id: operation for operation in _operations()}

# What a document cannot say: for whom an operation is. A route that is in none of these fails the matrix.
_STAFF = {
    "inventory_adjustments_create", "orders_statistics_retrieve", "payments_refunds_create", "products_create",
    "products_destroy", "products_partial_update", "products_update", "products_update_inventory_create",
    "users_activate_create", "users_deactivate_create", "users_list", "users_search_retrieve",
}  # fmt: skip
_OWNER = {"users_change_password_create", "users_destroy"}
_OWNER_OR_STAFF = {
    "orders_cancel_create", "orders_retrieve", "payments_retrieve", "users_orders_list", "users_partial_update",
    "users_profile_retrieve", "users_profile_update", "users_retrieve", "users_update",
}  # fmt: skip
_SIGNED_IN = {"notifications_list", "orders_create", "orders_list", "payments_list", "users_me_retrieve"}


def who_may(operation: Operation) -> str:
    """`public`, `staff`, `owner`, `owner or staff` or `signed in`. Raises LookupError for a route nobody thought of."""
    if operation.is_public:
        return "public"
    classes = {"staff": _STAFF, "owner": _OWNER, "owner or staff": _OWNER_OR_STAFF, "signed in": _SIGNED_IN}
    for name, members in classes.items():
        if operation.id in members:
            return name
    raise LookupError(f"say in tests/security for whom {operation.id} is")
