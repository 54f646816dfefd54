"""Who may do what to whose objects: every operation of the contract by every caller by every kind of id."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from bandstand import clock
from tests.security.contract import OPERATIONS, Operation, who_may
from tests.security.shop import Person, Shop
from tests.security.wire import Answer, assert_error

CALLERS = ("anonymous", "expired", "garbage", "service", "owner", "other", "staff")
# These end or change the account they name: each gets one of its own.
_DESTRUCTIVE = {"users_activate_create", "users_change_password_create", "users_deactivate_create", "users_destroy"}


@dataclass(frozen=True, kw_only=True)
class Target:
    """The object of one operation, and who owns it."""

    operation: Operation
    owner: Person
    own: str
    other_type: str


def target_of(shop: Shop, operation: Operation) -> Target:
    """What *operation* is tried on."""
    owner = shop.register("victim") if operation.id in _DESTRUCTIVE else shop.anna
    ids = {"user_id": owner.id, "order_id": shop.order_id, "payment_id": shop.payment_id}
    if operation.parameter == "product_id":
        ids["product_id"] = shop.new_product() if operation.id == "products_destroy" else shop.product_id
    own = ids.get(operation.parameter or "", "")
    other_type = shop.payment_id if operation.parameter != "payment_id" else shop.order_id
    return Target(operation=operation, owner=owner, own=own, other_type=other_type)


def token_of(shop: Shop, caller: str, target: Target) -> str:
    """The token that *caller* shows."""
    past = int(clock.now().timestamp()) - 3600
    return {
        "anonymous": "",
        "expired": shop.mint.user(target.owner.id, iat=past - 900, exp=past),
        "garbage": "eyJhbGciOiJFUzI1NiJ9.e30.AAAA",
        "service": shop.service_token("orders", audience=target.operation.service),
        "owner": target.owner.token,
        "other": shop.ben.token,
        "staff": shop.staff.token,
    }[caller]


def ask(shop: Shop, operation: Operation, identifier: str, token: str) -> Answer:
    """One cell; an empty body is enough, for permission is decided first."""
    body: dict[str, str] | None = None if operation.method in ("GET", "DELETE") else {}
    answer = shop.ask(operation.method, operation.at(identifier), body=body, token=token)
    assert answer.status < 500, answer
    if answer.status >= 400:
        assert_error(answer, service=operation.service)
    return answer


def expected(policy: str, caller: str, *, is_own: bool) -> set[int] | None:
    """The statuses that a cell may have; None when it is whatever the operation makes of it."""
    if policy == "public":
        return None
    if caller in ("anonymous", "expired", "garbage", "service"):
        return {401}
    if policy == "staff":
        return None if caller == "staff" else {403}
    if policy == "signed in":
        return None
    if caller == "other" or (policy == "owner" and caller == "staff"):
        return {404}
    return None if is_own else {404} if caller == "owner" else {200, 404}


def cells(shop: Shop, target: Target) -> Iterator[tuple[str, str, Answer]]:
    """Every caller but those who succeed, then those, so that nothing is gone before it was tried."""
    absent = str(clock.uuid7())
    kinds = {"absent": absent, "other type": target.other_type, "own": target.own} if target.own else {"none": ""}
    for caller in CALLERS:
        token = token_of(shop, caller, target)
        for kind, identifier in kinds.items():
            if caller in ("owner", "staff") and target.operation.id in _DESTRUCTIVE and kind == "own":
                continue
            yield caller, kind, ask(shop, target.operation, identifier, token)


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_an_operation_is_open_to_whom_it_is_meant_for_alone(shop: Shop, name: str) -> None:
    operation = OPERATIONS[name]
    policy = who_may(operation)
    target = target_of(shop, operation)
    answers = {}
    for caller, kind, answer in cells(shop, target):
        allowed = expected(policy, caller, is_own=kind in ("own", "none"))
        answers[caller, kind] = answer
        # A token that does not hold is 401 on public routes as well, which their documents leave out.
        assert answer.status in operation.statuses | {401}, (caller, kind, answer)
        if allowed is not None:
            assert answer.status in allowed, (caller, kind, answer)
        elif kind in ("own", "none"):
            refused = {401} if policy == "public" and caller in ("expired", "garbage", "service") else set()
            assert answer.status not in {401, 403, 404} - refused, (caller, kind, answer)
    if target.own and policy.startswith("owner"):
        assert_foreign_looks_absent(answers)


def assert_foreign_looks_absent(answers: dict[tuple[str, str], Answer]) -> None:
    """What belongs to somebody else answers as what does not exist, to the last header."""
    foreign = answers["other", "own"]
    for kind in ("absent", "other type"):
        absent = answers["other", kind]
        assert absent.status == foreign.status == 404
        assert absent.said == foreign.said
        assert set(absent.headers) == set(foreign.headers)


@pytest.mark.parametrize("name", sorted(name for name, found in OPERATIONS.items() if found.parameter))
def test_an_id_that_is_none_is_absent_or_refused_and_never_a_fault(shop: Shop, name: str) -> None:
    operation = OPERATIONS[name]
    malformed = ("0", "x", "%00", "%F0%9F%92%A9", "a" * 300, "' OR 1=1 --".replace(" ", "%20"), "%25", "-1", "null")
    for caller in ("anonymous", "other", "staff"):
        token = {"anonymous": "", "other": shop.ben.token, "staff": shop.staff.token}[caller]
        for identifier in (*malformed, shop.anna.id.upper(), shop.anna.id.replace("-", "")):
            answer = shop.ask(operation.method, operation.at(identifier), body={}, token=token)
            assert answer.status in ({400, 401, 404} if caller != "other" else {400, 403, 404}), (identifier, answer)
            assert_error(answer)


def test_a_list_holds_nothing_of_others(shop: Shop) -> None:
    for path in ("/api/v1/orders/", "/api/v1/payments/", "/api/v1/notifications/"):
        text = shop.ask("GET", path, token=shop.ben.token).body.decode()
        for secret in (shop.anna.id, shop.order_id, shop.payment_id, shop.anna.email):
            assert secret not in text
    assert shop.ask("GET", f"/api/v1/orders/?user_id={shop.anna.id}", token=shop.ben.token).status == 403


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW", "POST", "GET"])
def test_a_verb_that_a_route_does_not_know_changes_nothing(shop: Shop, method: str) -> None:
    paths: dict[str, set[str]] = {}
    for operation in OPERATIONS.values():
        paths.setdefault(operation.path, set()).add(operation.method)
    with shop.unchanged():
        for path, known in paths.items():
            if method in known:
                continue
            target = path.replace("{product_id}", shop.product_id).replace("{user_id}", shop.anna.id)
            target = target.replace("{order_id}", shop.order_id).replace("{payment_id}", shop.payment_id)
            answer = shop.ask(method, target, body=b"" if method in ("TRACE", "CONNECT") else None,
                              token=shop.anna.token)  # fmt: skip
            assert 400 <= answer.status < 500, (method, target, answer)
            assert_error(answer)


@pytest.mark.parametrize("override", [{"X-HTTP-Method-Override": "DELETE"}, {"X-HTTP-Method": "DELETE"},
                                      {"X-Method-Override": "DELETE"}])  # fmt: skip
def test_no_header_or_parameter_overrides_the_method(shop: Shop, override: dict[str, str]) -> None:
    path = f"/api/v1/users/{shop.anna.id}/"
    with shop.unchanged():
        assert shop.ask("GET", path, token=shop.anna.token, headers=override).status == 200
        assert shop.ask("POST", path, token=shop.anna.token, headers=override, body={}).status == 405
        assert shop.straight_at("users").ask("POST", path, token=shop.anna.token, headers=override).status == 405
        assert shop.ask("POST", f"{path}?_method=DELETE", token=shop.anna.token, body={}).status in (400, 405)
