"""Money and identity in the articles' checkout: floats, a refund of nothing, owner and price of the client's choice."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.seed.in_service import in_service

_ANN, _BOB = "019b76da-a800-7000-8000-00000000000a", "019b76da-a800-7000-8000-00000000000b"
_SIGNED_IN = """
from pathlib import Path
from uuid import UUID, uuid4
from django.test import Client
from bandstand.testing.tokens import trusting, user_headers
trusting("users", folder=Path(__import__("tempfile").mkdtemp())).enable()
"""


# ---- item 75: float money, `if amount:`


def naive_refund(captured: float, amount: float | None = None) -> float:
    """`PaymentServiceClient.refund_payment`: an amount that is false in Python refunds everything."""
    data = {}
    if amount:
        data["amount"] = amount
    return float(data.get("amount", captured))


def test_the_naive_refund_of_nothing_gives_everything_back() -> None:
    assert naive_refund(19.99, 0) == 19.99


def test_naive_money_does_not_add_up() -> None:
    assert sum([0.1] * 3) != 0.3
    assert sum(naive_refund(0.30, 0.10) for _ in range(3)) > 0.30, "three thirds are more than was taken"


def test_ours_refunds_integers_above_nothing_and_never_more_than_was_taken(tmp_path: Path) -> None:
    program = (
        _SIGNED_IN
        + """
from payments import commands
from payments.models import Payment, Refund
staff = Client(headers=user_headers(user_id=uuid4(), roles=["staff"]))
charge = commands.Charge(order_id=uuid4(), user_id=uuid4(), amount_minor=30, currency="EUR")
payment = commands.intend_payment(key="saga-0001:capture_payment", charge=charge)
commands.record_capture(key=payment.key, amount_minor=30, currency="EUR")
answers = [
    staff.post(f"/api/v1/payments/{payment.pk}/refunds/", {"amount": amount}, content_type="application/json")
    for amount in (0, 0.1, "10", None, -10, 31)
]
print(json.dumps([[answer.status_code for answer in answers], Refund.objects.count()]))
"""
    )
    assert in_service("payments", program, data=tmp_path) == [[400, 400, 400, 400, 400, 422], 0]


# ---- items 114 and 166: what the client says of price and owner


def naive_create_order(body: Mapping[str, Any]) -> dict[str, Any]:
    """`OrderViewSet.create` and `process_order`: owner, price and total as the body has them."""
    return {"user_id": body["user_id"], "total": body["total_amount"], "saga_id": f"order_{body['order_id']}"}


def test_the_naive_order_is_anothers_at_the_customers_own_price() -> None:
    order = naive_create_order({"order_id": 1, "user_id": _BOB, "total_amount": 0.01})
    assert (order["user_id"], order["total"]) == (_BOB, 0.01)
    assert naive_create_order({"order_id": 1, "user_id": _ANN, "total_amount": 5})["saga_id"] == order["saga_id"]


def test_ours_refuses_to_be_told_and_takes_owner_and_price_from_the_server(tmp_path: Path) -> None:
    program = (
        _SIGNED_IN
        + f"""
from bandstand.replicas import fill
from orders.models import CatalogueProduct, Order
product = uuid4()
fill([CatalogueProduct(product_id=product, sku="SKU-1", name="Guitar", price_minor=1999, currency="EUR")])
ann = Client(headers=user_headers(user_id="{_ANN}"))
def place(n, line=None, **more):
    items = [{{"product_id": str(product), "quantity": 2, **(line or {{}})}}]
    body = {{"items": items, "payment_method": "tok_ok", **more}}
    key = {{"Idempotency-Key": f"order-000{{n}}"}}
    return ann.post("/api/v1/orders/", body, content_type="application/json", headers=key).status_code
lies = [
    place(1, user_id="{_BOB}"), place(2, total=1), place(3, line={{"price": 1}}), place(4, status="confirmed"),
    place(5, currency="IDR"),
]
told = place(6)
order = Order.objects.get()
print(json.dumps([lies, told, str(order.user_id), order.total_minor]))
"""
    )
    assert in_service("orders", program, data=tmp_path) == [[400] * 5, 202, _ANN, 3998]


# ---- P5: a webhook that anybody could have written


def naive_webhook(books: dict[str, str], body: bytes) -> None:
    """A webhook without a signature: whoever finds the address settles payments."""
    event = json.loads(body)
    books[event["key"]] = event["state"]


def test_the_naive_webhook_believes_anybody() -> None:
    books = {"saga-0001:capture_payment": "pending"}
    naive_webhook(books, b'{"key": "saga-0001:capture_payment", "state": "captured"}')
    assert books == {"saga-0001:capture_payment": "captured"}


def test_ours_believes_the_signature_its_age_and_our_own_books(tmp_path: Path) -> None:
    program = """
import hashlib, hmac, os, time
from uuid import uuid4
os.environ["PAYMENT_WEBHOOK_SECRET"] = "between-provider-and-shop"
from django.test import Client
from payments import commands
from payments.models import Payment
key = "saga-0001:capture_payment"
charge = commands.Charge(order_id=uuid4(), user_id=uuid4(), amount_minor=1999, currency="EUR")
commands.intend_payment(key=key, charge=charge)
def tell(secret="between-provider-and-shop", age=0, **changes):
    body = {"id": "1", "type": "charge.captured", "key": key, "amount": 1999, "currency": "EUR", **changes}
    raw, moment = json.dumps(body).encode(), int(time.time()) - age
    mac = hmac.new(secret.encode(), b"%d." % moment + raw, hashlib.sha256).hexdigest()
    headers = {"Provider-Signature": f"t={moment},v1={mac}"}
    answer = Client().post("/api/v1/payments/webhook/", raw, content_type="application/json", headers=headers)
    return [answer.status_code, Payment.objects.get().state]
print(json.dumps([tell(secret="guessed"), tell(age=600), tell(amount=1), tell(), tell()]))
"""
    assert in_service("payments", program, data=tmp_path) == [
        [401, "pending"],
        [401, "pending"],
        [200, "pending"],
        [200, "captured"],
        [200, "captured"],
    ]
