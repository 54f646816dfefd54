"""The users service as a Django app."""

from django.apps import AppConfig


class UsersConfig(AppConfig):
    """Who people are, and the tokens that say so."""

    name = "users"
