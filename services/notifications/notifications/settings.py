"""Settings of the notifications service."""

from bandstand.service.mail import mail_settings
from bandstand.service.settings import service_settings

globals().update(
    service_settings(name="notifications", apps=["bandstand.replicas", "notifications"], **mail_settings())
)
