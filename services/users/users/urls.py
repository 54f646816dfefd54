"""Routes of the users service."""

from django.urls import path

from bandstand.auth.views import jwks
from bandstand.web.routers import routes
from users.api import accounts, authentication, internal

urlpatterns = [
    # First, for routes are tried in order, and every order asks for these.
    *routes("internal/v1/users/<uuid:user_id>/", internal.user_view, name="internal-user"),
    path(".well-known/jwks.json", jwks, name="jwks"),
    *routes("api/v1/auth/token/", authentication.SignInView.as_view(), name="sign-in"),
    *routes("api/v1/auth/token/refresh/", authentication.RefreshView.as_view(), name="refresh"),
    *routes("api/v1/auth/token/verify/", authentication.VerifyTokenView.as_view(), name="verify-token"),
    *routes("api/v1/auth/token/revoke/", authentication.RevokeView.as_view(), name="revoke"),
    *routes("api/v1/users/", accounts.UsersView.as_view(), name="users"),
    *routes("api/v1/users/authenticate/", authentication.AuthenticateView.as_view(), name="authenticate"),
    *routes("api/v1/users/verify/", authentication.VerifyEmailView.as_view(), name="verify-email"),
    *routes("api/v1/users/password_reset/", authentication.PasswordResetView.as_view(), name="password-reset"),
    *routes(
        "api/v1/users/password_reset/confirm/",
        authentication.PasswordResetConfirmView.as_view(),
        name="password-reset-confirm",
    ),
    *routes("api/v1/users/search/", accounts.SearchView.as_view(), name="search-users"),
    *routes("api/v1/users/me/", accounts.MeView.as_view(), name="me"),
    *routes("api/v1/users/<uuid:user_id>/", accounts.UserView.as_view(), name="user"),
    *routes("api/v1/users/<uuid:user_id>/activate/", accounts.ActivateView.as_view(), name="activate"),
    *routes("api/v1/users/<uuid:user_id>/deactivate/", accounts.DeactivateView.as_view(), name="deactivate"),
    *routes("api/v1/users/<uuid:user_id>/profile/", accounts.ProfileView.as_view(), name="profile"),
    *routes("api/v1/users/<uuid:user_id>/change_password/", accounts.ChangePasswordView.as_view(), name="password"),
]
