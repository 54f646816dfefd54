"""What can go wrong with a user, by name."""

from bandstand.errors import BusinessRuleViolated, NotAuthenticated, ValidationFailed


class EmailTaken(BusinessRuleViolated):
    """Somebody has this address, in whatever case it is written."""

    rule = "unique_email"
    sentence = "This e-mail address is already registered."


class UsernameTaken(BusinessRuleViolated):
    """Somebody has this name."""

    rule = "unique_username"
    sentence = "This username is already taken."


class WrongCredentials(NotAuthenticated):
    """One answer for an unknown address, a wrong password and a deactivated account."""

    sentence = "The e-mail address or the password is wrong."


class RefreshRefused(NotAuthenticated):
    """The refresh token is unknown, spent, expired or revoked."""

    sentence = "The session has ended. Sign in again."


class LinkRefused(ValidationFailed):
    """The token of a link is malformed, expired or used."""

    sentence = "The link is no longer valid."
