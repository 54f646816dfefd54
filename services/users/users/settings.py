"""Settings of the users service."""

from bandstand.service.mail import mail_settings
from bandstand.service.settings import service_settings
from users.config import password_settings

globals().update(service_settings(name="users", apps=["users"], **mail_settings(), **password_settings()))
