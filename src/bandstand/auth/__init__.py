"""Identity: tokens verified offline in every service, policies beside views, access that can be ended at once."""

from bandstand.auth.config import AuthConfig
from bandstand.auth.issue import can_issue, issue_access_token, service_token
from bandstand.auth.policy import declare_policy, policy_of, public
from bandstand.auth.principals import authenticate_service, authenticate_user
from bandstand.auth.revocation import revoke_session, revoke_user, revoked_until

__all__ = [
    "AuthConfig",
    "authenticate_service",
    "authenticate_user",
    "can_issue",
    "declare_policy",
    "issue_access_token",
    "policy_of",
    "public",
    "revoke_session",
    "revoke_user",
    "revoked_until",
    "service_token",
]
