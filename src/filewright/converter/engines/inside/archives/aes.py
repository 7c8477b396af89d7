"""Members of a ZIP encrypted by WinZip's AES (methods AE-1 and AE-2): deflate inside AES-CTR with an HMAC behind it.

The key comes from the password by PBKDF2-HMAC-SHA1; two bytes of it are stored, to tell a wrong password at once.
"""

from __future__ import annotations

import bz2
import hashlib
import hmac
import struct
import zlib
from collections.abc import Iterator
from typing import IO, Protocol
from zipfile import ZipInfo

from Cryptodome.Cipher import AES
from Cryptodome.Util import Counter

from filewright.chassis.sandbox.child import Refusal

METHOD = 99
_EXTRA = 0x9901
_LOCAL_HEADER = 30
_ITERATIONS = 1000
_KEY_BYTES = {1: 16, 2: 24, 3: 32}
_HMAC_BYTES = 10
_CHUNK = 1 << 16


class _Inflater(Protocol):
    def decompress(self, data: bytes, /) -> bytes: ...


def content(file: IO[bytes], info: ZipInfo, password: bytes) -> Iterator[bytes]:
    """The member's bytes in pieces, authenticated at the end; wrong passwords are told before anything comes out."""
    strength, method = _extra(info)
    length = _KEY_BYTES[strength]
    file.seek(info.header_offset)
    header = file.read(_LOCAL_HEADER)
    name_bytes, extra_bytes = struct.unpack_from("<HH", header, 26)
    file.seek(name_bytes + extra_bytes, 1)
    salt, check = file.read(length // 2), file.read(2)
    keys = hashlib.pbkdf2_hmac("sha1", password, salt, _ITERATIONS, 2 * length + 2)
    if not hmac.compare_digest(keys[-2:], check):
        raise Refusal("wrong_password")
    encrypted = info.compress_size - length // 2 - 2 - _HMAC_BYTES
    return _decrypted(file, encrypted, keys[:length], keys[length : 2 * length], _inflater(method))


def _decrypted(file: IO[bytes], left: int, key: bytes, hmac_key: bytes, inflater: _Inflater) -> Iterator[bytes]:
    counter = Counter.new(128, initial_value=1, little_endian=True)
    cipher = AES.new(key, AES.MODE_CTR, counter=counter)
    mac = hmac.new(hmac_key, digestmod="sha1")
    while left > 0:
        chunk = file.read(min(left, _CHUNK))
        if not chunk:
            raise Refusal("corrupt_input")
        left -= len(chunk)
        mac.update(chunk)
        yield inflater.decompress(cipher.decrypt(chunk))
    if not hmac.compare_digest(mac.digest()[:_HMAC_BYTES], file.read(_HMAC_BYTES)):
        raise Refusal("corrupt_input")


def _extra(info: ZipInfo) -> tuple[int, int]:
    """Strength and the true compression method, from the member's extra field."""
    place = 0
    while place + 4 <= len(info.extra):
        kind, size = struct.unpack_from("<HH", info.extra, place)
        if kind == _EXTRA and size >= 7:
            _, _, strength, method = struct.unpack_from("<HHBH", info.extra, place + 4)
            if strength in _KEY_BYTES:
                return strength, method
        place += 4 + size
    raise Refusal("corrupt_input")


def _inflater(method: int) -> _Inflater:
    if method == 8:
        return zlib.decompressobj(-zlib.MAX_WBITS)
    if method == 12:
        return bz2.BZ2Decompressor()
    if method == 0:
        return _Stored()
    raise Refusal("unsupported_format")


class _Stored:
    def decompress(self, data: bytes) -> bytes:
        return data
