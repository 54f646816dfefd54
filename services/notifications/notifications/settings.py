"""Settings of the notifications service."""

from bandstand.service.mail import mail_settings
from bandstand.service.settings import service_settings

_CONCERNS = ["bandstand.sagas.choreography", "bandstand.replicas"]

globals().update(service_settings(name="notifications", apps=[*_CONCERNS, "notifications"], **mail_settings()))
