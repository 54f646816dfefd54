"""Who may call a plain Django view, said beside the view; a view that says nothing fails a system check."""

from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["POLICY_ATTRIBUTE", "declare_policy", "policy_of", "public"]

POLICY_ATTRIBUTE = "policy"

V = TypeVar("V", bound=Callable[..., Any])


def declare_policy(view: V, policy: str) -> V:
    """Note on *view* that it enforces *policy* itself, and return it."""
    setattr(view, POLICY_ATTRIBUTE, policy)
    return view


def public(view: V) -> V:
    """Declare that anybody may call this plain view."""
    return declare_policy(view, "public")


def policy_of(view: object) -> str | None:
    """What a view, or the class behind it, declares."""
    for holder in (view, getattr(view, "view_class", None)):
        policy = getattr(holder, POLICY_ATTRIBUTE, None)
        if isinstance(policy, str) and policy:
            return policy
    return None
