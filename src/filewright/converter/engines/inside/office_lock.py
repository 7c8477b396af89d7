"""Runs in the sandbox: take the password off an office file.

Microsoft's kinds (RC4 and XOR of the binary formats, standard and agile encryption of the XML ones) are opened by
msoffcrypto-tool; OpenDocument packages by `odf_lock`.
"""

from __future__ import annotations

import io
import logging
import struct
import zipfile
from pathlib import Path
from typing import Any

from msoffcrypto import OfficeFile
from msoffcrypto.exceptions import DecryptionError, FileFormatError, InvalidKeyError, ParseError
from msoffcrypto.format.ooxml import OOXMLFile

from filewright.chassis.sandbox.child import Refusal, Report
from filewright.converter.engines.inside import odf_lock

logging.getLogger("msoffcrypto").setLevel(logging.CRITICAL)

EVERYONE_KNOWS = "VelvetSweatshop"
"""Excel locks a workbook with it when only its structure is protected, and opens such files without asking."""

_BROKEN = (
    ParseError, FileFormatError, struct.error, OSError, ValueError, KeyError, IndexError, TypeError, AttributeError,
    AssertionError, zipfile.BadZipFile,
)  # fmt: skip


def unlock_file(source: str, target: str, password: str | None, report: Report) -> bool:
    """Write the plain document to `target`; False, and nothing written, when `source` was not locked."""
    plain = unlocked(Path(source).read_bytes(), password)
    if plain is None:
        return False
    Path(target).write_bytes(plain)
    return True


def unlocked(data: bytes, password: str | None) -> bytes | None:
    """The plain document; None when it was not locked, or is nothing that could be."""
    if data.startswith(b"PK"):
        return odf_lock.unlocked(data, password)
    office = _locked_office_file(data)
    if office is None:
        return None
    try:
        return _decrypted(office, EVERYONE_KNOWS if password is None else password)
    except InvalidKeyError as error:
        raise Refusal("password_required" if password is None else "wrong_password") from error
    except DecryptionError as error:
        raise Refusal("password_required" if password is None else "unsupported_format") from error
    except _BROKEN as error:
        raise Refusal("corrupt_input") from error


def _locked_office_file(data: bytes) -> Any | None:
    try:
        office = OfficeFile(io.BytesIO(data))
        return office if office.is_encrypted() else None
    except (*_BROKEN, DecryptionError):
        return None


def _decrypted(office: Any, password: str) -> bytes:
    if isinstance(office, OOXMLFile):
        office.load_key(password=password, verify_password=True)
    else:
        office.load_key(password=password)
    plain = io.BytesIO()
    office.decrypt(plain)
    return plain.getvalue()
