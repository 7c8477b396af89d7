"""Each tenant's key, in a small file of its own, apart from the database and the bucket.

Apart, because what is in a backup cannot be destroyed: once the file is gone, whatever was encrypted for the tenant
stays closed, in every copy that was ever made of the rest. So a backup of this folder must be one that forgets.

Processes on several machines share the folder. A key that another process destroyed is noticed within seconds.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from filewright.chassis.clock import Clock
from filewright.chassis.storage.encryption.master import KeyRefused, KeyService
from filewright.chassis.storage.files import write_all
from filewright.chassis.storage.threads import in_thread
from filewright.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

REF_BYTES = 16
ID_BYTES = 16
KEY_BYTES = 32
_MAGIC = b"FWK1"
_BEGUN = "begun"
_KNOWN_SECONDS = 2.0
_KNOWN_AT_ONCE = 4096


@dataclass(frozen=True)
class TenantKey:
    """A tenant's key. `ref` stands for the tenant; `id` is another one when the tenant gets a new key."""

    ref: bytes
    id: bytes
    secret: bytes = field(repr=False)


def ref_of(tenant: str) -> bytes:
    """What stands for a tenant where its name shall not be read."""
    return hashlib.sha256(b"filewright tenant " + tenant.encode()).digest()[:REF_BYTES]


class TenantKeys:
    """The keys in a folder, which is made when it is missing. Every method may raise OSError."""

    def __init__(self, folder: Path, service: KeyService, clock: Clock) -> None:
        self._folder = folder
        self._service = service
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[float, TenantKey]] = OrderedDict()
        self._all_wrapped = b""
        """A sign of the master key under which everything was wrapped at the end of a run; empty before the first."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.begun = self._begin()
        """When files began to be encrypted here. What is older may lie there as it came."""

    async def of(self, tenant: str) -> TenantKey:
        """The tenant's key, made at its first use. Raises KeyRefused."""
        ref = ref_of(tenant)
        while True:
            found = await self._load(ref)
            if found is not None:
                return found
            made = TenantKey(ref, secrets.token_bytes(ID_BYTES), secrets.token_bytes(KEY_BYTES))
            await in_thread(self._place, ref, await self._sealed(made))  # or somebody else has, a moment before

    async def find(self, ref: bytes, key_id: bytes) -> TenantKey | None:
        """That very key; None when it was destroyed. Raises KeyRefused."""
        found = await self._load(ref)
        return found if found is not None and found.id == key_id else None

    async def destroy(self, tenant: str) -> str | None:
        """From now on nothing that was encrypted for the tenant opens. The id of the key that was, None without one."""
        ref = ref_of(tenant)
        self._known.pop(ref, None)
        stored = await in_thread(self._shred, ref)
        return None if stored is None else stored[len(_MAGIC) :][:ID_BYTES].hex()

    async def exists(self, tenant: str) -> bool:
        """Whether the tenant has a key."""
        return await in_thread(self._read, ref_of(tenant)) is not None

    async def rewrap(self) -> int:
        """Wrap anew what is not wrapped under the master key in use; how many were. Safe beside everything else."""
        if self._all_wrapped and await self._service.is_current(self._all_wrapped):
            return 0
        done = 0
        sign = await self._service.wrap(b"", context=_context(b"", b""))
        for ref in await in_thread(lambda: list(self._refs())):
            stored = await in_thread(self._read, ref)
            if stored is None or await self._service.is_current(_wrapped(stored)):
                continue
            try:
                key = await self._opened(ref, stored)
            except KeyRefused as error:
                log.warning("tenant_key_lost", reason=str(error))
                continue
            done += await in_thread(self._replace, ref, stored, await self._sealed(key))
        self._all_wrapped = sign
        return done

    # --- a key as it is stored -----------------------------------------------------------------------------------

    async def _load(self, ref: bytes) -> TenantKey | None:
        known = self._known.get(ref)
        if known is not None and self._clock.monotonic() - known[0] < _KNOWN_SECONDS:
            return known[1]
        stored = await in_thread(self._read, ref)
        if stored is None:
            self._known.pop(ref, None)
            return None
        if known is not None and known[1].id == _id(stored):
            key = known[1]
        else:
            key = await self._opened(ref, stored)
        self._known[ref] = (self._clock.monotonic(), key)
        self._known.move_to_end(ref)
        while len(self._known) > _KNOWN_AT_ONCE:
            self._known.popitem(last=False)
        return key

    async def _sealed(self, key: TenantKey) -> bytes:
        return _MAGIC + key.id + await self._service.wrap(key.secret, context=_context(key.ref, key.id))

    async def _opened(self, ref: bytes, stored: bytes) -> TenantKey:
        if not stored.startswith(_MAGIC):
            raise KeyRefused(f"{self._path(ref).name} is no key")
        key_id = _id(stored)
        return TenantKey(ref, key_id, await self._service.unwrap(_wrapped(stored), context=_context(ref, key_id)))

    # --- files ---------------------------------------------------------------------------------------------------

    def _path(self, ref: bytes) -> Path:
        name = ref.hex()
        return self._folder / name[:2] / f"{name}.key"

    def _refs(self) -> Iterator[bytes]:
        for path in self._folder.glob("??/*.key"):
            with contextlib.suppress(ValueError):
                yield bytes.fromhex(path.stem)

    def _read(self, ref: bytes) -> bytes | None:
        try:
            return self._path(ref).read_bytes()
        except FileNotFoundError:
            return None

    def _place(self, ref: bytes, content: bytes) -> None:
        """Put it there whole and for good, unless there is one already."""
        path = self._path(ref)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        new = self._write(path.parent, content)
        try:
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(new)
            _sync(path.parent)
            _sync(self._folder)
        finally:
            new.unlink()

    def _replace(self, ref: bytes, before: bytes, content: bytes) -> bool:
        """Whether it was still that one."""
        path = self._path(ref)
        new = self._write(path.parent, content)
        # A key that is destroyed in this very moment would come back; so it is looked for under a lock of its own.
        with _locked(path.parent):
            if self._read(ref) != before:
                new.unlink()
                return False
            new.replace(path)
            _sync(path.parent)
        return True

    def _shred(self, ref: bytes) -> bytes | None:
        path = self._path(ref)
        if not path.parent.is_dir():
            return None
        with _locked(path.parent):
            stored = self._read(ref)
            if stored is None:
                return None
            descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                write_all(descriptor, secrets.token_bytes(len(stored)))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            path.unlink()
            _sync(path.parent)
        return stored

    def _write(self, folder: Path, content: bytes) -> Path:
        new = folder / f".{secrets.token_hex(8)}"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            write_all(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return new

    def _begin(self) -> datetime:
        path = self._folder / _BEGUN
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                write_all(descriptor, self._clock.now().isoformat().encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        return datetime.fromisoformat(path.read_text(encoding="ascii"))


def _id(stored: bytes) -> bytes:
    return stored[len(_MAGIC) :][:ID_BYTES]


def _wrapped(stored: bytes) -> bytes:
    return stored[len(_MAGIC) + ID_BYTES :]


def _context(ref: bytes, key_id: bytes) -> bytes:
    return b"filewright tenant key v1" + ref + key_id


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Among processes, for as long as the context lasts."""
    import fcntl  # noqa: PLC0415 - beside its one use

    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
