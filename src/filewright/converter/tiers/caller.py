"""Who asks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from filewright.converter.tiers.roles import USER_ROLE
from filewright.converter.tiers.tier import Tier


@dataclass(frozen=True)
class Caller:
    """Who asks: the tenant that owns what is made, and what it may use. Every query is filtered by `tenant`."""

    tenant: str
    tier: Tier
    scopes: frozenset[str] = frozenset()
    """What the caller may do; without any, nothing that a route asks a scope for."""
    user: str | None = None
    """The account; None for whoever has not said who they are."""
    session: str | None = None
    """The session, of whoever signed in themselves."""
    key: str | None = None
    """The id of the API key that speaks for the account."""
    live: bool = True
    """False for a key to try things out with, whose work is not charged."""
    authenticated_at: datetime | None = None
    """When the person last proved who they are; None for keys and for those without an account."""
    role: str = USER_ROLE
    """Of the account; the owner of this machine is an admin."""

    @property
    def actor(self) -> str:
        """Whoever acts, by the most exact name there is."""
        return self.key or self.user or self.tenant
