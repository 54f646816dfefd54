"""Plain statements: the rows they read and write are those of the ORM."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import models
from tests.project.models import Part, Product

from bandstand.database.statements import Statement, insert, insert_absent, update

BY_SKU = Statement(Product, "SELECT {columns} FROM {table} WHERE sku = %s {lock}")
BY_ID = Statement(Product, "SELECT {columns} FROM {table} WHERE id = %s")
SINCE = Statement(Product, "SELECT {columns} FROM {table} WHERE created_at >= %s ORDER BY sku")
RENAME = Statement(Product, "UPDATE {table} SET name = %s WHERE sku = %s RETURNING {columns}")
PRICE = Statement(Product, "UPDATE {table} SET price_amount = %s WHERE sku = %s")
PARTS = Statement(Part, "SELECT {columns} FROM {table} WHERE product_id = %s ORDER BY number")

pytestmark = pytest.mark.django_db


class Name(models.TextChoices):
    CHAIR = "Chair"


def product(sku: str, **values: object) -> Product:
    return Product(**{"sku": sku, "name": "Chair", "is_featured": True} | values)


def values_of(row: Product | None) -> dict[str, object]:
    assert row is not None
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def test_a_row_written_plainly_is_the_row_the_orm_reads():
    written = product("A-1", created_at=datetime(2026, 5, 1, 12, 30, 0, 250_000, tzinfo=UTC))
    insert([written])
    assert values_of(Product.objects.get(sku="A-1")) == values_of(written)


def test_a_row_written_by_the_orm_is_read_the_same():
    saved = Product.objects.create(sku="A-1", name="Chair")
    found = BY_SKU.first("A-1")
    assert values_of(found) == values_of(Product.objects.get(pk=saved.pk)) == values_of(BY_ID.first(saved.pk))
    assert found is not None
    found.name = "Stool"
    found.save()
    assert Product.objects.get().name == "Stool"


def test_moments_and_ids_are_parameters_and_nothing_found_is_none():
    for sku, year in (("A-1", 2025), ("A-2", 2026), ("A-3", 2027)):
        insert([product(sku, created_at=datetime(year, 1, 1, tzinfo=UTC))])
    assert [found.sku for found in SINCE.all(datetime(2026, 1, 1, tzinfo=UTC))] == ["A-2", "A-3"]
    assert BY_ID.first(uuid4()) is None


def test_a_change_says_what_it_changed():
    insert([product("A-1")])
    renamed = RENAME.first("Stool", "A-1")
    assert renamed is not None
    assert renamed.name == "Stool"
    assert (PRICE.run(500, "A-1"), PRICE.run(500, "A-2")) == (1, 0)


def test_an_insert_says_whether_the_value_was_free():
    assert insert_absent(product("A-1"))
    assert not insert_absent(product("A-1"))
    assert Product.objects.count() == 1


def test_only_the_named_fields_are_written():
    row = Product.objects.create(sku="A-1", name="Chair")
    row.name, row.price_amount = "Stool", 500
    assert update(row, ["name"])
    assert values_of(Product.objects.get()) == values_of(row) | {"price_amount": 0}
    row.delete()
    row.id = uuid4()
    assert not update(row, ["name"])


def test_many_rows_and_keys_of_the_database():
    owner = Product.objects.create(sku="A-1", name="Chair")
    insert([Part(product=owner, number=number) for number in (2, 1)])
    insert([])
    assert [(part.product_id, part.number) for part in PARTS.all(owner.pk)] == [(owner.pk, 1), (owner.pk, 2)]


def test_what_is_no_value_of_its_field_yet_is_prepared_as_the_orm_does():
    key = uuid4()
    insert([product("A-1", id=str(key), price_amount="500", name=Name.CHAIR)])
    found = BY_ID.first(key)
    assert found is not None
    assert (found.price_amount, found.name) == (500, "Chair")
