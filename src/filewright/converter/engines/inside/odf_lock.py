"""Runs in the sandbox: take the password off an OpenDocument package (ODF 1.2 part 3, section 4).

Each entry of such a package is encrypted by itself, with a key derived from the password and a salt of its own;
`META-INF/manifest.xml` tells how. What comes out is an ordinary package with the same entries in plain.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from base64 import b64decode
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.decrepit.ciphers.algorithms import Blowfish
from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from lxml import etree

from filewright.chassis.sandbox.child import Refusal

_MANIFEST = "META-INF/manifest.xml"
_NS = "{urn:oasis:names:tc:opendocument:xmlns:manifest:1.0}"
_AES_CBC = "http://www.w3.org/2001/04/xmlenc#aes256-cbc"
_BLOWFISH = ("Blowfish CFB", "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0#blowfish")
_PBKDF2 = ("PBKDF2", "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0#pbkdf2")
_MOST_ROUNDS = 10_000_000
_CHECKED_BYTES = 1024


@dataclass(frozen=True)
class Lock:
    """How one entry was encrypted."""

    algorithm: str
    vector: bytes
    derivation: str
    salt: bytes
    rounds: int
    key_bytes: int
    start_digest: str
    checksum_digest: str
    checksum: bytes


def unlocked(data: bytes, password: str | None) -> bytes | None:
    """The package in plain; None when nothing in it is encrypted, or it is no OpenDocument package."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            if _MANIFEST not in package.namelist():
                return None
            manifest = _parsed(package.read(_MANIFEST))
            locks = _locks(manifest)
            if not locks:
                return None
            if password is None:
                raise Refusal("password_required")
            return _plain_package(package, manifest, locks, password)
    except (zipfile.BadZipFile, etree.XMLSyntaxError, zlib.error, ValueError, KeyError, OSError) as error:
        raise Refusal("corrupt_input") from error


def _parsed(xml: bytes) -> Any:
    return etree.fromstring(xml, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))


def _locks(manifest: Any) -> dict[str, Lock]:
    entries = manifest.iter(f"{_NS}file-entry")
    described = ((entry.get(f"{_NS}full-path"), entry.find(f"{_NS}encryption-data")) for entry in entries)
    return {path: _lock(description) for path, description in described if path and description is not None}


def _lock(description: Any) -> Lock:
    def said(element: str, attribute: str, default: str = "") -> str:
        found = description if element == "" else description.find(f"{_NS}{element}")
        return default if found is None else str(found.get(f"{_NS}{attribute}", default))

    return Lock(
        algorithm=said("algorithm", "algorithm-name"),
        vector=b64decode(said("algorithm", "initialisation-vector")),
        derivation=said("key-derivation", "key-derivation-name"),
        salt=b64decode(said("key-derivation", "salt")),
        rounds=int(said("key-derivation", "iteration-count", "1024")),
        key_bytes=int(said("key-derivation", "key-size", "16")),
        start_digest=_digest(said("start-key-generation", "start-key-generation-name", "SHA1")),
        checksum_digest=_digest(said("", "checksum-type", "SHA1/1K")),
        checksum=b64decode(said("", "checksum")),
    )


def _digest(name: str) -> str:
    return "sha256" if "sha256" in name.lower() else "sha1"


def _plain_package(package: zipfile.ZipFile, manifest: Any, locks: dict[str, Lock], password: str) -> bytes:
    for description in list(manifest.iter(f"{_NS}encryption-data")):
        description.getparent().remove(description)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as plain:
        for name in package.namelist():
            content = package.read(name)
            if name == _MANIFEST:
                content = etree.tostring(manifest, xml_declaration=True, encoding="UTF-8")
            elif name in locks:
                content = _plain(content, locks[name], password)
            kind = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            plain.writestr(name, content, compress_type=kind)
    return made.getvalue()


def _plain(content: bytes, lock: Lock, password: str) -> bytes:
    """Decrypt, compare the checksum (of the first KiB, still deflated), inflate."""
    deflated = _decrypted(content, lock, _key(lock, password))
    # The checksum of an AES entry leaves the padding out, or does not: writers differ, and it matters to short ones.
    unpadded = deflated[: -deflated[-1]] if lock.algorithm == _AES_CBC and deflated else deflated
    seen = (hashlib.new(lock.checksum_digest, text[:_CHECKED_BYTES]).digest() for text in (unpadded, deflated))
    if lock.checksum not in seen:
        raise Refusal("wrong_password")
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(unpadded)


def _key(lock: Lock, password: str) -> bytes:
    if lock.derivation not in _PBKDF2 or lock.rounds > _MOST_ROUNDS:
        raise Refusal("unsupported_format")
    start = hashlib.new(lock.start_digest, password.encode("utf-8")).digest()
    return hashlib.pbkdf2_hmac("sha1", start, lock.salt, lock.rounds, lock.key_bytes)


def _decrypted(content: bytes, lock: Lock, key: bytes) -> bytes:
    if lock.algorithm == _AES_CBC:
        cipher: Cipher[Any] = Cipher(AES(key), CBC(lock.vector))
    elif lock.algorithm in _BLOWFISH:
        cipher = Cipher(Blowfish(key), CFB(lock.vector))
    else:
        raise Refusal("unsupported_format")
    decryptor = cipher.decryptor()
    return decryptor.update(content) + decryptor.finalize()
