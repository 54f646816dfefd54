"""The articles' one table."""

from typing import ClassVar

from django.db import models


class SagaExecution(models.Model):
    """A run, saved as a whole after each step."""

    saga_id = models.CharField(max_length=100, unique=True)
    saga_type = models.CharField(max_length=100)
    status = models.CharField(max_length=20, default="pending")
    current_step = models.IntegerField(default=0)
    context_data = models.JSONField(default=dict)
    error_message = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        app_label = "articles"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["saga_type", "status"]),
            models.Index(fields=["created_at"]),
        ]
