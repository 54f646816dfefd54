"""Settings of the users service."""

from bandstand.service.settings import service_settings
from users.config import user_settings

globals().update(service_settings(name="users", apps=["users"], **user_settings()))
