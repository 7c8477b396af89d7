"""A process that erases a tenant, and dies at the point it is told. Run by test_kills.py."""

import asyncio
import base64
import sys
from pathlib import Path

from filewright.chassis import failpoints
from filewright.chassis.clock import SystemClock
from filewright.chassis.db.database import Database
from filewright.chassis.ids import RandomIds
from filewright.chassis.storage.encryption.master import MasterKeyFile
from filewright.chassis.storage.encryption.store import EncryptedStore
from filewright.chassis.storage.encryption.tenants import TenantKeys
from filewright.chassis.storage.local import LocalStore
from filewright.chassis.testing.modules import module_at
from filewright.converter.migrations import LOCATION
from filewright.converter.migrations.tables import metadata
from filewright.converter.privacy.certificates import Signer
from filewright.converter.privacy.erasing import Erasures

HERE = Path(__file__).parent


def opened(folder: Path):
    """The shop of that folder, with everything in it encrypted, and who erases in it."""
    # A process of its own has no fixtures.
    shops = module_at(HERE.parent / "conftest.py", "shops")
    clock = SystemClock()
    master = folder / "master.key"
    if not master.exists():
        master.write_bytes(base64.b64encode(bytes(range(48))))
    keys = TenantKeys(master.with_name("master.key.tenants"), MasterKeyFile(master), clock)
    database = Database(f"sqlite:///{folder / 'killed.db'}")
    store = EncryptedStore(LocalStore(folder / "objects"), keys)
    shop = shops.Shop(folder, database, clock, RandomIds(clock), store)
    signer = Signer(b"s" * 32)
    erasures = Erasures(database, store, shop.ids, signer, shop.notifier, metadata, audit=shop.audit, keys=keys)
    return shop, erasures, keys


async def live(folder: Path, specification: str) -> None:
    shop, erasures, _ = opened(folder)
    await shop.database.migrate(LOCATION)
    await shop.order(b"only alice may read this")
    await shop.work()
    ordered = await erasures.order("alice")
    print(f"\nordered:{ordered.id}", flush=True)
    failpoints.arm(specification)
    await erasures.run_once()


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1]), sys.argv[2]))
