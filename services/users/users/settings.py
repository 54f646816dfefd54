"""Settings of the users service."""

from bandstand.service.mail import mail_settings
from bandstand.service.settings import service_settings
from users.config import password_settings

# The admin's check looks for `unique=True`; the address is unique in any case, which only a constraint can say.
SILENCED_SYSTEM_CHECKS = ["auth.E003"]

globals().update(service_settings(name="users", apps=["users"], **mail_settings(), **password_settings()))
