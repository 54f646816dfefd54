"""People as operators see them."""

from django.contrib import admin

from users.models import Session, User


@admin.register(User)
class UserAdmin(admin.ModelAdmin[User]):
    """Read-mostly: passwords and sessions change by their commands alone."""

    list_display = ["created_at", "username", "email", "is_active", "is_verified", "is_staff"]
    list_filter = ["is_active", "is_verified", "is_staff"]
    search_fields = ["username", "email"]
    exclude = ["password"]


@admin.register(Session)
class SessionAdmin(admin.ModelAdmin[Session]):
    """Sign-ins."""

    list_display = ["created_at", "user", "expires_at", "ended_at"]
    list_select_related = ["user"]
