"""Routes of the notifications service."""

from bandstand.web.routers import routes
from notifications import api

urlpatterns = routes("api/v1/notifications/", api.NotificationsView.as_view(), name="notifications")
