"""Takes up a new master key: what is wrapped under the one before is wrapped anew, and that is written down."""

from __future__ import annotations

from filewright.chassis.audit import acts
from filewright.chassis.audit.log import SYSTEM, Audit
from filewright.chassis.storage.encryption.tenants import TenantKeys

EVERY_SECONDS = 60.0
REWRAPPED = acts.declare("master_key.rotated", "keys of tenants were wrapped anew, under another master key")


class Rewrapping:
    """Run `run_once` again and again; any number may."""

    def __init__(self, keys: TenantKeys, audit: Audit) -> None:
        self._keys = keys
        self._audit = audit

    async def run_once(self) -> int:
        """How many keys were wrapped anew."""
        done = await self._keys.rewrap()
        if done:
            await self._audit.record_alone(REWRAPPED, actor=SYSTEM, details={"keys": done})
        return done
