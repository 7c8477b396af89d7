"""Facts about archives and letters: names, members, attachments. Listed by bsdtar and 7z, not by what packed them."""

from __future__ import annotations

import bz2
import email
import email.policy
import gzip
import hashlib
import lzma
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from corpus.facts.delivery import Delivery, missing_from

Facts = Mapping[str, Any]
_ARCHIVES = frozenset({"zip", "7z", "tar", "tar.gz", "tar.bz2", "tar.xz", "tar.zst"})
_LISTS = frozenset({"json", "txt"})
_UNPACK = {"gz": gzip.decompress, "bz2": bz2.decompress, "xz": lzma.decompress}


def files(count: int, delivery: Delivery, facts: Facts) -> str | None:
    """As many files; folders do not count."""
    if delivery.target not in _ARCHIVES:
        return None
    found = len([line for line in _listing(delivery.first, "-tv").splitlines() if line.startswith("-")])
    return "" if found == count else f"{found} files, not {count}"


def names(wanted: list[str], delivery: Delivery, facts: Facts) -> str | None:
    """These names, whole, in the archive or in its list."""
    if delivery.target in _LISTS and delivery.text is not None:
        return next((reason for name in wanted if (reason := missing_from(delivery.text, name))), "")
    if delivery.target not in _ARCHIVES:
        return None
    found = _listing(delivery.first, "-t").splitlines()
    missing = [name for name in wanted if name not in found]
    return f"{missing[0]!r} is not in it" if missing else ""


def member(wanted: Mapping[str, Any], delivery: Delivery, facts: Facts) -> str | None:
    """One member's bytes, unpacked by another program."""
    if delivery.target not in _ARCHIVES:
        return None
    name = wanted.get("name") or facts["names_sample"][wanted["index"]]
    data = subprocess.run(
        ("bsdtar", "-xOf", delivery.first, _escaped(name)), capture_output=True, check=False, env=_UTF8
    ).stdout
    return "" if hashlib.sha256(data).hexdigest() == wanted["sha256"] else f"{name!r} has other bytes"


def unpacked(sha256: str, delivery: Delivery, facts: Facts) -> str | None:
    """The bytes of the one file that a compressed file holds."""
    if delivery.target in _UNPACK:
        data = _UNPACK[delivery.target](delivery.first.read_bytes())
    elif delivery.target in _ARCHIVES:
        data = subprocess.run(("bsdtar", "-xOf", delivery.first), capture_output=True, check=True).stdout
    else:
        return None
    return "" if hashlib.sha256(data).hexdigest() == sha256 else "other bytes come out"


def header_line(phrase: str, delivery: Delivery, facts: Facts) -> str | None:
    """Subject or sender, wherever the letter is shown in words; a saved page is no letter."""
    if delivery.text is None or delivery.target == "zip" or delivery.source_format == "mhtml":
        return None
    bare = phrase.split("<", maxsplit=1)[0].strip().strip('"') or phrase
    return missing_from(delivery.text, bare)


def subjects(wanted: list[str], delivery: Delivery, facts: Facts) -> str | None:
    """The subject of every letter of a mailbox."""
    if delivery.text is None:
        return None
    return next((reason for subject in wanted if (reason := missing_from(delivery.text, subject))), "")


def attachment_names(wanted: list[str], delivery: Delivery, facts: Facts) -> str | None:
    """Attachments travel in a ZIP or a letter, and are named where the letter is shown."""
    if delivery.target == "zip":
        with zipfile.ZipFile(delivery.first) as archive:
            found = [name.rsplit("/", 1)[-1] for name in archive.namelist()]
    elif delivery.target == "eml":
        message = email.message_from_bytes(delivery.first.read_bytes(), policy=email.policy.default)
        found = [str(part.get_filename()) for part in message.walk() if part.get_filename()]
    elif delivery.target in {"json", "html"} and delivery.text is not None:
        return next((reason for name in wanted if (reason := missing_from(delivery.text, name))), "")
    else:
        return None
    missing = [name for name in wanted if name not in found]
    return f"{missing[0]!r} is not in it" if missing else ""


def _listing(path: Path, flags: str) -> str:
    return subprocess.run(("bsdtar", flags + "f", path), capture_output=True, check=True, env=_UTF8).stdout.decode()


def _escaped(name: str) -> str:
    return "".join(f"\\{c}" if c in "*?[]\\" else c for c in name)


_UTF8 = {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}
