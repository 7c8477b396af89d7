"""Who asks, what they are allowed, and how much of it they may have.

The words of it are plain values, which every room speaks; how tiers are read from a file (`file.py`) is for whoever
wires the service.
"""

from filewright.converter.tiers.caller import Caller
from filewright.converter.tiers.roles import (
    ADMIN,
    ADMIN_ROLE,
    EVERYBODYS_SCOPES,
    ROLES,
    SCOPES,
    SUPPORT_ROLE,
    USER_ROLE,
    is_at_least,
    scopes_of,
)
from filewright.converter.tiers.tier import ANONYMOUS, FREE_TIER, LOCAL, Tier, Tiers

__all__ = [
    "ADMIN",
    "ADMIN_ROLE",
    "ANONYMOUS",
    "EVERYBODYS_SCOPES",
    "FREE_TIER",
    "LOCAL",
    "ROLES",
    "SCOPES",
    "SUPPORT_ROLE",
    "USER_ROLE",
    "Caller",
    "Tier",
    "Tiers",
    "is_at_least",
    "scopes_of",
]
