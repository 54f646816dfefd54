"""Reservations by key, for the orders service alone: the hot path of every order, hence plain views."""

import re
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from django.http import HttpRequest, HttpResponse

from bandstand.errors import ValidationFailed
from bandstand.web.internal import Body, internal_route, read_json, reply
from inventory.commands import Reserved, commit_reservation, release_reservation, reserve_stock
from inventory.models import Line, ReservationState
from inventory.queries import lines_of, reservation_of

__all__ = ["commitment", "reservation"]

_KEY = re.compile(r"[A-Za-z0-9._:-]{8,255}")


class ReservedLine(Body, frozen=True):
    """So many units of a product."""

    product_id: UUID
    quantity: Annotated[int, msgspec.Meta(ge=1, le=1000)]


class Reserve(Body, frozen=True):
    """What an order wants held, and for how long."""

    order_id: UUID
    lines: Annotated[list[ReservedLine], msgspec.Meta(min_length=1, max_length=50)]
    ttl_seconds: Annotated[int, msgspec.Meta(ge=1, le=86_400)]


class ReservationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A reservation as callers see it. A tombstone has neither order nor lines."""

    key: str
    order_id: UUID | None
    state: str
    expires_at: datetime | None
    lines: list[ReservedLine]


def put_reservation(request: HttpRequest, key: str) -> HttpResponse:
    """Hold all lines or none: 201, or 200 for a repeat, which renews the expiry."""
    wanted = read_json(request, into=Reserve)
    reserved = reserve_stock(
        key=_checked(key), order_id=wanted.order_id, lines=_lines(wanted), ttl=timedelta(seconds=wanted.ttl_seconds)
    )
    return reply(_answer(key, wanted, reserved), status=201 if reserved.created else 200)


def get_reservation(request: HttpRequest, key: str) -> HttpResponse:  # noqa: ARG001 - the shape of a handler
    """The reservation as it stands."""
    found = reservation_of(_checked(key))
    lines = [ReservedLine(product_id=line.product_id, quantity=line.quantity) for line in lines_of(key)]
    answer = ReservationAnswer(
        key=key, order_id=found.order_id, state=found.state, expires_at=found.expires_at, lines=lines
    )
    return reply(answer)


def delete_reservation(request: HttpRequest, key: str) -> HttpResponse:  # noqa: ARG001
    """Release the key, or leave a tombstone where it never came."""
    return reply({"state": release_reservation(key=_checked(key))})


def post_commit(request: HttpRequest, key: str) -> HttpResponse:  # noqa: ARG001
    """Sell what the key holds."""
    commit_reservation(key=_checked(key))
    return reply({"state": ReservationState.COMMITTED})


reservation = internal_route(
    {"PUT": put_reservation, "GET": get_reservation, "DELETE": delete_reservation}, callers={"orders"}
)
commitment = internal_route({"POST": post_commit}, callers={"orders"})


def _checked(key: str) -> str:
    if _KEY.fullmatch(key) is None:
        raise ValidationFailed(field_errors={"key": ["Expected 8-255 of A-Z a-z 0-9 . _ : -"]})
    return key


def _lines(wanted: Reserve) -> list[Line]:
    lines = [Line(product_id=line.product_id, quantity=line.quantity) for line in wanted.lines]
    if len({line.product_id for line in lines}) != len(lines):
        raise ValidationFailed(field_errors={"lines": ["One line per product."]})
    return lines


def _answer(key: str, wanted: Reserve, reserved: Reserved) -> ReservationAnswer:
    return ReservationAnswer(
        key=key,
        order_id=wanted.order_id,
        state=reserved.state,
        expires_at=reserved.expires_at,
        lines=wanted.lines,
    )
