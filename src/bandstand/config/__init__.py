"""Configuration: typed values from the environment, and typed sections of Django's settings."""

from bandstand.config.environment import (
    ConfigurationError,
    Fault,
    Secret,
    Setting,
    describe,
    environment,
    load,
    load_all,
    read_env_file,
    setting,
)
from bandstand.config.person import operating_system_user
from bandstand.config.sections import Identity, identity, section

__all__ = [
    "ConfigurationError",
    "Fault",
    "Identity",
    "Secret",
    "Setting",
    "describe",
    "environment",
    "identity",
    "load",
    "load_all",
    "operating_system_user",
    "read_env_file",
    "section",
    "setting",
]
