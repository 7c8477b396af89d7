"""What a caller can be allowed, and who is allowed it."""

from __future__ import annotations

ADMIN = "admin"
"""The one scope that nobody has by having an account."""

SCOPES = frozenset(
    {
        "jobs:read",
        "jobs:write",
        "uploads:write",
        "keys:read",
        "keys:write",
        "webhooks:read",
        "webhooks:write",
        "fonts:read",
        "fonts:write",
        "account:read",
        "account:write",
        ADMIN,
    }
)
"""Everything that a caller can be allowed."""

EVERYBODYS_SCOPES = SCOPES - {ADMIN}

USER_ROLE = "user"
SUPPORT_ROLE = "support"
"""Sees what operators see, and deals with quarantine; changes nothing else."""
ADMIN_ROLE = "admin"
ROLES = (USER_ROLE, SUPPORT_ROLE, ADMIN_ROLE)
"""Each may do all that those before it may."""


def scopes_of(role: str) -> frozenset[str]:
    """All scopes of somebody of this role. What of `admin` a role may do, each of the operators' addresses says."""
    return EVERYBODYS_SCOPES if role == USER_ROLE or role not in ROLES else SCOPES


def is_at_least(role: str, least: str) -> bool:
    """Whether a role may do what that one may."""
    return role in ROLES and ROLES.index(role) >= ROLES.index(least)
