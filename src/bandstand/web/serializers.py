"""Serializers that read strictly: unknown fields are refused, nothing is coerced, nothing is asked of the database.

Read-only fields may be sent back on PUT and PATCH, where they are ignored; on POST they are unknown fields. Uniqueness
is the database's to say: a look before the write only tells of the past (two look, both write).
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

from django.db import models
from rest_framework import serializers as rest
from rest_framework.settings import api_settings
from rest_framework.validators import UniqueValidator

from bandstand.web import fields
from bandstand.web.fields import Money, MoneyField

__all__ = ["Money", "MoneyField", "StrictModelSerializer", "StrictSerializer"]

_SENT_BACK = frozenset({"PUT", "PATCH"})


class _Strict:
    """Refuses what a body must not hold."""

    def to_internal_value(self, data: Any) -> Any:
        """Read *data*. Raises ValidationError naming each unknown field."""
        if isinstance(data, Mapping):
            declared: Mapping[str, rest.Field[Any, Any, Any, Any]] = self.fields  # type: ignore[attr-defined]
            sent_back = self._may_be_sent_back()
            unknown = [name for name in data if name not in declared or (declared[name].read_only and not sent_back)]
            if unknown:
                raise rest.ValidationError({name[:64]: ["Unknown field."] for name in unknown[:20]})
        return super().to_internal_value(data)  # type: ignore[misc]

    def _may_be_sent_back(self) -> bool:
        root: Any = self.root  # type: ignore[attr-defined]
        request = root.context.get("request")
        if request is not None:
            return request.method in _SENT_BACK
        return root.instance is not None or getattr(root, "partial", False)


class StrictSerializer(_Strict, rest.Serializer[Any]):
    """A body or an answer, field by field (the fields of `bandstand.web.fields`).

    REST framework makes all fields anew for each instance, which costs more than reading or writing them; `read` and
    `present` share one instance per process. They know neither the request nor an instance to be changed.
    """

    @classmethod
    def read(cls, data: Any) -> dict[str, Any]:
        """The validated content of a new body. Raises ValidationError, as `is_valid(raise_exception=True)` does."""
        if data is None:
            raise rest.ValidationError({api_settings.NON_FIELD_ERRORS_KEY: ["No data provided"]}, code="null")
        content: dict[str, Any] = _shared(cls).run_validation(data)
        return content

    @classmethod
    def present(cls, instance: Any) -> dict[str, Any]:
        """The answer that shows *instance*, as `cls(instance).data` does."""
        answer: dict[str, Any] = _shared(cls).to_representation(instance)
        return answer


@cache
def _shared(cls: type[StrictSerializer]) -> StrictSerializer:
    return cls()


class StrictModelSerializer(_Strict, rest.ModelSerializer[Any]):
    """A model's fields, named one by one; a system check refuses `fields = "__all__"` and `exclude`.

    Its columns become strict fields. Unique constraints are not asked beforehand: let the command or the database say.
    """

    serializer_field_mapping: ClassVar[dict[Any, Any]] = {
        **rest.ModelSerializer.serializer_field_mapping,
        models.AutoField: fields.IntegerField,
        models.BigIntegerField: fields.IntegerField,
        models.BooleanField: fields.BooleanField,
        models.CharField: fields.TextField,
        models.DateField: fields.DateField,
        models.DateTimeField: fields.DateTimeField,
        models.EmailField: fields.EmailField,
        models.IntegerField: fields.IntegerField,
        models.PositiveBigIntegerField: fields.IntegerField,
        models.PositiveIntegerField: fields.IntegerField,
        models.PositiveSmallIntegerField: fields.IntegerField,
        models.SlugField: fields.SlugField,
        models.SmallIntegerField: fields.IntegerField,
        models.TextField: fields.TextField,
        models.URLField: fields.URLField,
        models.UUIDField: fields.UUIDField,
    }
    serializer_choice_field = fields.ChoiceField

    def build_standard_field(self, field_name: str, model_field: Any) -> tuple[Any, dict[str, Any]]:
        """The field of one column, without a look for duplicates."""
        cls, kwargs = super().build_standard_field(field_name, model_field)
        validators = kwargs.get("validators")
        if validators:
            kwargs["validators"] = [each for each in validators if not isinstance(each, UniqueValidator)]
        return cls, kwargs

    def get_unique_together_validators(self) -> list[Any]:
        """None: see the class."""
        return []

    def get_unique_for_date_validators(self) -> list[Any]:
        """None: see the class."""
        return []
