"""Whoever has the bucket reads nothing in it, and whatever they change is refused before a byte of it is let out."""

import random
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from filewright.chassis.storage.encryption import format as written
from filewright.chassis.storage.encryption.format import (
    CHUNK_BYTES,
    HEAD_BYTES,
    SEALED_BYTES,
    TAG_BYTES,
    new_object,
    opened,
    plain_bytes,
    read_head,
)
from filewright.chassis.storage.encryption.store import SUFFIX, EncryptedStore
from filewright.chassis.storage.encryption.tenants import TenantKey
from filewright.chassis.storage.obstore_store import open_store
from filewright.chassis.storage.port import ObjectDamaged
from filewright.chassis.testing.memory import PeakMemory

pytestmark = pytest.mark.requirement("S25")
LONG = random.Random(1).randbytes(3 * CHUNK_BYTES + 1000)


async def raw(bucket, key):
    return b"".join([block async for block in bucket.get(key + SUFFIX)])


async def released(store, key, start=0, end=None):
    """What a reader gets, and whether all of it."""
    got = b""
    try:
        async for block in store.get(key, start, end):
            got += block
    except ObjectDamaged:
        return got, False
    return got, True


async def refuses(sealed, bucket, changed, plain, key="one"):
    """Nothing but what was written comes out, and the end is not reached."""
    await bucket.put(key + SUFFIX, bytes(changed))
    got, whole = await released(sealed, key)
    assert not whole
    assert plain.startswith(got)


async def test_nothing_of_a_file_can_be_read_in_the_bucket(sealed, bucket):
    plain = b"A secret that is long enough to be found again. " * 3000
    await sealed.put("one", plain, owner="alice")
    stored = await raw(bucket, "one")
    assert b"secret" not in stored
    assert len(set(stored)) == 256
    assert [info.key async for info in bucket.list()] == ["one" + SUFFIX]


async def test_every_flipped_bit_is_refused(sealed, bucket):
    plain = b"a short one"
    await sealed.put("one", plain, owner="alice")
    stored = await raw(bucket, "one")
    for at in range(8 * len(stored)):
        changed = bytearray(stored)
        changed[at // 8] ^= 1 << at % 8
        await bucket.put("one" + SUFFIX, bytes(changed))
        try:
            got = [block async for block in sealed.get("one")]
        except Exception:  # another tenant's, another key's, or damaged: never the wrong bytes
            continue
        pytest.fail(f"bit {at} was flipped and {got} was read")


@pytest.mark.parametrize("chunk", range(4))
async def test_a_chunk_with_a_flipped_bit_is_not_released_and_neither_is_any_after_it(sealed, bucket, chunk):
    await sealed.put("one", LONG, owner="alice")
    changed = bytearray(await raw(bucket, "one"))
    changed[HEAD_BYTES + chunk * SEALED_BYTES + 500] ^= 4
    await refuses(sealed, bucket, changed, LONG[: chunk * CHUNK_BYTES])


async def test_every_truncation_is_refused(sealed, bucket):
    await sealed.put("one", LONG, owner="alice")
    stored = await raw(bucket, "one")
    ends = {HEAD_BYTES + n * SEALED_BYTES + d for n in range(4) for d in (-17, -16, -1, 0, 1, 16, 17)}
    for end in sorted(end for end in {*ends, 0, 1, len(stored) - 1, len(stored) - 16} if 0 <= end < len(stored)):
        await refuses(sealed, bucket, stored[:end], LONG)


async def test_more_behind_the_end_is_refused(sealed, bucket):
    await sealed.put("one", LONG, owner="alice")
    stored = await raw(bucket, "one")
    for more in (b"x", bytes(16), stored[HEAD_BYTES:]):
        await refuses(sealed, bucket, stored + more, LONG)


async def test_chunks_that_change_places_are_refused(sealed, bucket):
    await sealed.put("one", LONG, owner="alice")
    stored = await raw(bucket, "one")
    head = stored[:HEAD_BYTES]
    chunks = [stored[at : at + SEALED_BYTES] for at in range(HEAD_BYTES, len(stored), SEALED_BYTES)]
    for a, b in pairwise(range(len(chunks))):
        swapped = list(chunks)
        swapped[a], swapped[b] = swapped[b], swapped[a]
        await refuses(sealed, bucket, head + b"".join(swapped), LONG)
    doubled = [chunks[0], chunks[0], *chunks[1:]]
    dropped = [chunks[0], *chunks[2:]]
    for changed in (doubled, dropped):
        await refuses(sealed, bucket, head + b"".join(changed), LONG)


async def test_what_belongs_to_another_object_is_refused(sealed, bucket):
    other = random.Random(2).randbytes(len(LONG))
    await sealed.put("one", LONG, owner="alice")
    await sealed.put("two", other, owner="alice")
    await sealed.put("bobs", other, owner="bob")
    one, two, bobs = [await raw(bucket, key) for key in ("one", "two", "bobs")]
    await refuses(sealed, bucket, two, b"")  # a whole object in the place of another
    await refuses(sealed, bucket, bobs, b"")
    for stranger in (two, bobs):
        spliced = one[: HEAD_BYTES + SEALED_BYTES] + stranger[HEAD_BYTES + SEALED_BYTES :]
        await refuses(sealed, bucket, spliced, LONG[:CHUNK_BYTES])
        await refuses(sealed, bucket, stranger[:HEAD_BYTES] + one[HEAD_BYTES:], b"")


async def test_an_older_version_of_an_object_under_the_same_key_is_only_ever_whole(sealed, bucket):
    await sealed.put("one", LONG, owner="alice")
    before = await raw(bucket, "one")
    await sealed.put("one", LONG[::-1], owner="alice")
    after = await raw(bucket, "one")
    await refuses(sealed, bucket, before[: HEAD_BYTES + SEALED_BYTES] + after[HEAD_BYTES + SEALED_BYTES :], LONG)


async def test_an_open_object_in_the_place_of_a_sealed_one_is_refused(sealed, bucket):
    await sealed.put("one", b"sealed", owner="alice")
    await bucket.put("two", b"planted")
    await bucket.put("one", b"planted")
    assert await released(sealed, "one") == (b"sealed", True)
    with pytest.raises(ObjectDamaged):
        await released_all(sealed, "two")
    with pytest.raises(ObjectDamaged):
        await sealed.head("two")


async def released_all(store, key):
    return [block async for block in store.get(key)]


@pytest.mark.parametrize("chunk", range(4))
async def test_a_range_is_proven_like_the_whole(sealed, bucket, chunk):
    await sealed.put("one", LONG, owner="alice")
    changed = bytearray(await raw(bucket, "one"))
    changed[HEAD_BYTES + chunk * SEALED_BYTES + 500] ^= 4
    await bucket.put("one" + SUFFIX, bytes(changed))
    for other in range(4):
        start, end = other * CHUNK_BYTES + 10, min((other + 1) * CHUNK_BYTES, len(LONG)) - 10
        expected = (b"", False) if other == chunk else (LONG[start:end], True)
        assert await released(sealed, "one", start, end) == expected


async def test_a_range_behind_the_place_where_an_object_was_cut_off_is_refused(sealed, bucket):
    await sealed.put("one", LONG, owner="alice")
    stored = await raw(bucket, "one")
    await bucket.put("one" + SUFFIX, stored[: HEAD_BYTES + 2 * SEALED_BYTES])
    for start in (2 * CHUNK_BYTES, 2 * CHUNK_BYTES + 5, 3 * CHUNK_BYTES + 1):
        assert await released(sealed, "one", start, start + 10) == (b"", False)


@given(size=st.integers(0, 400_000))
def test_sizes_are_told_from_what_is_stored(size):
    chunks = max(1, -(-size // CHUNK_BYTES))
    assert plain_bytes(HEAD_BYTES + size + chunks * TAG_BYTES) == size


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 16 * CHUNK_BYTES, 1_048_577])
async def test_ranges_around_the_ends_of_chunks_are_slices(sealed, size):
    plain = random.Random(size).randbytes(size)
    await sealed.put("one", plain, owner="alice")
    assert (await sealed.head("one")).bytes == size
    points = {0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, size - 1, size, size + 1, size + CHUNK_BYTES}
    for start in sorted(point for point in points if point >= 0):
        for end in [*sorted(point for point in points if point >= start), None]:
            assert await released(sealed, "one", start, end) == (plain[start:end], True), (start, end)


def test_it_is_written_as_the_format_says():
    """Opened with another implementation, piece by piece."""
    key = TenantKey(b"r" * 16, b"i" * 16, b"s" * 32)
    plain = random.Random(3).randbytes(CHUNK_BYTES + 5)
    head, chunks = new_object(key, "folder/name")
    stored = head.as_bytes() + chunks.seal(0, plain, last=True)
    assert (stored[:4], stored[4:20], stored[20:36]) == (b"FWE1", b"r" * 16, b"i" * 16)
    data_key = gcm(
        b"s" * 32, stored[36:48], stored[48:96], b"filewright data key v1" + b"r" * 16 + b"i" * 16 + b"folder/name"
    )
    around = stored[:96] + b"folder/name"
    first = gcm(data_key, bytes(12), stored[96 : 96 + SEALED_BYTES], around)
    last = gcm(data_key, bytes(10) + b"\x01\x01", stored[96 + SEALED_BYTES :], around)
    assert first + last == plain


def gcm(key, nonce, sealed, around):
    opening = Cipher(algorithms.AES(key), modes.GCM(nonce, sealed[-16:])).decryptor()
    opening.authenticate_additional_data(around)
    return opening.update(sealed[:-16]) + opening.finalize()


def test_no_key_and_nonce_come_twice():
    tenant = TenantKey(b"r" * 16, b"i" * 16, b"s" * 32)
    heads = [new_object(tenant, "same name")[0] for _ in range(10_000)]
    assert len({head.sealed for head in heads}) == len({head.nonce for head in heads}) == len(heads)
    nonces = {written._nonce(number, last=last) for number in range(500_000) for last in (False, True)}
    assert len(nonces) == 1_000_000


def test_another_tenants_key_opens_nothing():
    head, _ = new_object(TenantKey(b"r" * 16, b"i" * 16, b"s" * 32), "name")
    with pytest.raises(ObjectDamaged):
        opened(read_head(head.as_bytes()), TenantKey(b"r" * 16, b"i" * 16, b"t" * 32), "name")


@pytest.mark.slow
async def test_a_big_object_needs_little_memory(tmp_path, keys):
    """And goes over a disk, so that the store below keeps nothing in memory."""
    store = EncryptedStore(open_store(f"file://{tmp_path / 'objects'}"), keys)
    chunk = random.Random(4).randbytes(CHUNK_BYTES)

    async def chunks():
        for _ in range(4096):
            yield chunk

    await store.put("warm-up", bytes(4 << 20), owner="alice")
    with PeakMemory() as peak:
        stored = await store.put("big", chunks(), owner="alice")
        read = 0
        async for part in store.get("big"):
            read += len(part)
    assert stored.bytes == read == 256 << 20
    assert peak.grown_bytes < 32 << 20
