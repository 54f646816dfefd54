"""The transports, one module per library; nothing here is imported before the first call."""
