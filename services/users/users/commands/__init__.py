"""Writes of the users service: accounts, sessions, links."""

from users.commands.accounts import (
    NewUser,
    activate_user,
    change_password,
    deactivate_user,
    delete_user,
    prepare_user,
    register_privately,
    register_user,
    set_staff,
    update_profile,
    update_user,
)
from users.commands.links import (
    claim_link_mails,
    link_token,
    request_reset,
    reset_password,
    settle_link_mail,
    verify_user,
)
from users.commands.sessions import Tokens, end_session, end_sessions, log_in, purge_sessions, refresh

__all__ = [
    "NewUser",
    "Tokens",
    "activate_user",
    "change_password",
    "claim_link_mails",
    "deactivate_user",
    "delete_user",
    "end_session",
    "end_sessions",
    "link_token",
    "log_in",
    "prepare_user",
    "purge_sessions",
    "refresh",
    "register_privately",
    "register_user",
    "request_reset",
    "reset_password",
    "set_staff",
    "settle_link_mail",
    "update_profile",
    "update_user",
    "verify_user",
]
