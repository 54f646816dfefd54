"""Settings of the notifications service."""

from bandstand.service.settings import service_settings
from notifications.config import mail_settings

globals().update(service_settings(name="notifications", apps=["notifications"], **mail_settings()))
