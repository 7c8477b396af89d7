"""Keys of tenants: made once, gone for good, wrapped anew while everything goes on."""

import asyncio
import base64
import datetime
import os
import shutil

import pytest

from filewright.chassis.storage.encryption.master import KeyRefused, MasterKeyFile, keys_in
from filewright.chassis.storage.encryption.store import EncryptedStore
from filewright.chassis.storage.encryption.tenants import TenantKeys
from filewright.chassis.storage.port import ObjectDamaged, ObjectMissing, StoreUnavailable


def a_key() -> bytes:
    """As `openssl rand -base64 48` makes it."""
    return base64.b64encode(os.urandom(48)) + b"\n"


async def read(store, key):
    return b"".join([block async for block in store.get(key)])


def again(keys, master, clock):
    """As another process has them."""
    return TenantKeys(keys._folder, MasterKeyFile(master), clock)


async def test_every_process_gets_the_same_key_of_a_tenant(keys, master, clock):
    others = [again(keys, master, clock) for _ in range(8)]
    found = await asyncio.gather(*(one.of("alice") for one in others))
    assert len(set(found)) == 1
    assert await keys.find(found[0].ref, found[0].id) == found[0]
    assert (await keys.of("bob")).secret != found[0].secret


async def test_a_key_is_nowhere_in_the_clear(keys, master, tmp_path):
    key = await keys.of("alice")
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert key.secret not in path.read_bytes()
            assert b"alice" not in path.read_bytes()
            assert path == master or path.stat().st_mode & 0o077 == 0
    assert key.secret.hex() not in repr(key)


@pytest.mark.requirement("S26")
async def test_what_was_encrypted_for_a_tenant_is_gone_with_its_key(sealed, bucket, keys, master, clock):
    await sealed.put("alices", b"hers", owner="alice")
    await sealed.put("bobs", b"his", owner="bob")
    destroyed = await keys.destroy("alice")
    assert destroyed is not None
    assert await keys.destroy("alice") is None
    elsewhere = EncryptedStore(bucket, again(keys, master, clock))
    for store in (sealed, elsewhere):
        with pytest.raises(ObjectMissing):
            await read(store, "alices")
        assert await read(store, "bobs") == b"his"
    await sealed.put("new", b"hers again", owner="alice")
    assert await read(sealed, "new") == b"hers again"
    with pytest.raises(ObjectMissing):
        await read(sealed, "alices")


@pytest.mark.requirement("S26")
async def test_another_process_notices_within_seconds_that_a_key_is_gone(sealed, bucket, keys, master, clock):
    await sealed.put("alices", b"hers", owner="alice")
    elsewhere = EncryptedStore(bucket, again(keys, master, clock))
    assert await read(elsewhere, "alices") == b"hers"
    await keys.destroy("alice")
    clock.move(3)
    with pytest.raises(ObjectMissing):
        await read(elsewhere, "alices")


@pytest.mark.requirement("S6", "F28")
async def test_the_master_key_is_rotated_while_everything_goes_on(sealed, bucket, keys, master, clock):
    old = master.read_bytes()
    await sealed.put("alices", b"hers", owner="alice")
    master.write_bytes(old + a_key())
    assert await read(sealed, "alices") == b"hers"
    await sealed.put("bobs", b"his", owner="bob")
    assert await keys.rewrap() == 1  # bob's is under the new one already
    assert await keys.rewrap() == 0
    master.write_bytes(master.read_bytes().removeprefix(old))
    fresh = EncryptedStore(bucket, again(keys, master, clock))
    assert (await read(fresh, "alices"), await read(fresh, "bobs")) == (b"hers", b"his")
    master.write_bytes(old)
    with pytest.raises(StoreUnavailable):
        await read(EncryptedStore(bucket, again(keys, master, clock)), "alices")


@pytest.mark.requirement("S6")
async def test_keys_that_are_made_and_destroyed_while_they_are_wrapped_anew_stay_so(keys, master):
    made = {name: await keys.of(name) for name in map(str, range(30))}
    master.write_bytes(master.read_bytes() + a_key())

    async def come_and_go():
        for name in map(str, range(0, 30, 3)):
            await keys.destroy(name)
            await keys.of(f"new {name}")

    await asyncio.gather(keys.rewrap(), come_and_go(), keys.rewrap())
    for name, key in made.items():
        found = await keys.find(key.ref, key.id)
        assert found == (None if int(name) % 3 == 0 else key)
    assert not [path for path in keys._folder.rglob(".*") if path.is_file()]


async def test_a_wrapped_key_in_another_tenants_place_is_refused(keys, master, clock):
    alice, bob = await keys.of("alice"), await keys.of("bob")
    shutil.copy(keys._path(alice.ref), keys._path(bob.ref))
    with pytest.raises(KeyRefused):
        await again(keys, master, clock).of("bob")


async def test_with_another_master_key_nothing_opens_and_the_store_says_that_it_is_ill(
    sealed, bucket, keys, master, clock
):
    await sealed.put("one", b"x", owner="alice")
    master.write_bytes(a_key())
    other = EncryptedStore(bucket, again(keys, master, clock))
    with pytest.raises(StoreUnavailable):
        await read(other, "one")
    with pytest.raises(StoreUnavailable):
        await other.put("two", b"x", owner="alice")


@pytest.mark.parametrize("content", [b"", b"\n\n", b"short\n", b"k" * 48 + b"\nshort\n"])
def test_a_file_without_a_strong_key_is_refused(tmp_path, content):
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(ValueError, match="openssl rand"):
        keys_in(tmp_path / "key")


async def test_what_was_stored_before_is_read_as_it_is(bucket, master, clock, keys):
    await bucket.put("old", b"from before")
    keys.begun = (await bucket.head("old")).modified_at
    store = EncryptedStore(bucket, keys)
    assert await read(store, "old") == b"from before"
    assert (await store.head("old")).bytes == 11
    await store.copy("old", "new")
    assert await read(store, "new") == b"from before"
    assert [info.key async for info in bucket.list()] == ["new.fwe", "old"]
    await store.delete("old")
    with pytest.raises(ObjectMissing):
        await read(store, "old")
    keys.begun -= datetime.timedelta(days=1)
    await bucket.put("planted", b"later")
    with pytest.raises(ObjectDamaged):
        await read(store, "planted")


async def test_nobody_is_sent_straight_to_the_store(sealed, clock):
    assert sealed.sign_put("a", size=1, at=clock.now(), lifetime=datetime.timedelta(hours=1)) is None
    assert sealed.sign_get("a", at=clock.now(), media_type="text/plain", disposition="attachment") is None
    assert sealed.local_path("a") is None
