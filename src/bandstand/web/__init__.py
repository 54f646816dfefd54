"""The inbound edge: context, problems, strict bodies and queries, pagination, idempotency, OpenAPI."""
