"""Tables of the users service: people, their profiles, their sessions, and mails that carry a secret link."""

from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from bandstand import clock


class UserManager(BaseUserManager["User"]):
    """Finds people by their address, in whatever case it is written."""

    def get_by_natural_key(self, username: str | None) -> "User":
        """The user with this address."""
        return self.get(email__iexact=username)

    def locked(self, user_id: UUID) -> "User | None":
        """The user, unless deleted, locked until the transaction ends.

        Whoever changes a user, their sessions or tokens takes this one lock first: nobody waits in a circle, and nobody
        opens or refreshes a session while it is being ended.
        """
        return self.select_for_update().filter(pk=user_id, deleted_at__isnull=True).first()


class User(AbstractBaseUser):
    """A person. The address identifies, in whatever case it is written; deleting deactivates for ever."""

    id = models.UUIDField(primary_key=True, default=clock.uuid7, editable=False)
    username = models.CharField(max_length=150)
    email = models.EmailField(max_length=254)
    first_name = models.CharField(max_length=150, default="", blank=True)
    last_name = models.CharField(max_length=150, default="", blank=True)
    phone_number = models.CharField(max_length=32, default="", blank=True)
    date_of_birth = models.DateField(null=True, blank=True)
    is_active = models.BooleanField(default=True)
    is_verified = models.BooleanField(default=False)
    is_staff = models.BooleanField(default=False)
    deleted_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now, editable=False)
    last_login = None

    objects = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["username"]

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["-created_at", "-id"], name="user_newest")]
        constraints = [
            models.UniqueConstraint(Lower("email"), name="user_email_once"),
            models.UniqueConstraint(Lower("username"), name="user_username_once"),
            models.CheckConstraint(
                condition=Q(deleted_at__isnull=True) | Q(is_active=False), name="user_deleted_is_inactive"
            ),
        ]

    @property
    def roles(self) -> list[str]:
        """What the user's tokens say about them."""
        return ["staff"] if self.is_staff else []

    def has_perm(self, perm: str, obj: object = None) -> bool:  # noqa: ARG002 - Django's admin asks
        """Staff may do everything in the admin."""
        return self.is_active and self.is_staff

    def has_module_perms(self, app_label: str) -> bool:  # noqa: ARG002 - Django's admin asks
        """Staff may see every app in the admin."""
        return self.is_active and self.is_staff


class UserProfile(models.Model):
    """What a person tells about themselves; made with the user, in one transaction."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, primary_key=True, related_name="profile")
    bio = models.CharField(max_length=2000, default="", blank=True)
    location = models.CharField(max_length=200, default="", blank=True)
    website = models.URLField(max_length=500, default="", blank=True)
    avatar = models.URLField(max_length=500, default="", blank=True)
    preferences = models.JSONField(default=dict, blank=True)
    updated_at = models.DateTimeField(default=clock.now, editable=False)


class Session(models.Model):
    """A sign-in and all that is refreshed from it: a family of refresh tokens. Its id is the `sid` of access tokens."""

    id = models.UUIDField(primary_key=True, default=clock.uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["user"], name="session_open", condition=Q(ended_at__isnull=True)),
            models.Index(fields=["expires_at"], name="session_expiry"),
        ]


class RefreshToken(models.Model):
    """A refresh token, known by its hash only. Its successor is derived from it and need not be stored."""

    digest = models.CharField(primary_key=True, max_length=64)
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="tokens")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    used_at = models.DateTimeField(null=True, blank=True)


class LinkMail(models.Model):
    """A mail from users that is still to be sent; a secret it carries is made while sending and stored nowhere.

    It names an address, not a user: asking for a link costs the same whether or not somebody has the address.
    """

    class Purpose(models.TextChoices):
        """What the mail is for."""

        VERIFY = "verify"
        RESET = "reset"
        ADDRESS_TAKEN = "address_taken"
        USERNAME_TAKEN = "username_taken"

    id = models.UUIDField(primary_key=True, default=clock.uuid7, editable=False)
    email = models.CharField(max_length=254)
    purpose = models.CharField(max_length=16, choices=Purpose.choices)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(default=clock.now)

    class Meta:
        indexes = [models.Index(fields=["next_at"], name="link_mail_due")]
