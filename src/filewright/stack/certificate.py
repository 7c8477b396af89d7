"""A certificate of the stack's own, so that TLS and HTTP/2 can be tried where no authority would give one.

Made once and kept; made anew when it is about to run out or does not name the address that the front listens on.
Nobody trusts it who is not told to: `curl --cacert <stack>/tls/tls.crt`.
"""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from typing import TYPE_CHECKING

from filewright.chassis.clock import SystemClock
from filewright.stack.layout import Layout, write_private

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, GeneralName

_LIFETIME, _ENOUGH = timedelta(days=365), timedelta(days=30)
_EVERYWHERE = ("localhost", "127.0.0.1", "::1")


def certificate(layout: Layout, host: str) -> tuple[str, str]:
    """The certificate and its key, as PEM."""
    folder = layout.folder(layout.tls, None)
    certificate_file, key_file = folder / "tls.crt", folder / "tls.key"
    if not (certificate_file.exists() and key_file.exists() and _is_good(certificate_file.read_bytes(), host)):
        certificate_pem, key_pem = _make(host)
        write_private(key_file, key_pem)
        write_private(certificate_file, certificate_pem)
    return certificate_file.read_text("ascii"), key_file.read_text("ascii")


def _is_good(pem: bytes, host: str) -> bool:
    from cryptography import x509  # noqa: PLC0415 - slow to import, and wanted by `up` alone

    try:
        known = x509.load_pem_x509_certificate(pem)
    except ValueError:
        return False
    return known.not_valid_after_utc - SystemClock().now() > _ENOUGH and set(_names(host)) <= _named_in(known)


def _named_in(known: Certificate) -> set[GeneralName]:
    from cryptography import x509  # noqa: PLC0415

    return set(known.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)


def _make(host: str) -> tuple[str, str]:
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Filewright on this machine")])
    now = SystemClock().now()
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName(_names(host)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM).decode("ascii"), key_pem.decode("ascii")


def _names(host: str) -> list[GeneralName]:
    from cryptography import x509  # noqa: PLC0415

    found: list[GeneralName] = []
    for name in dict.fromkeys((*_EVERYWHERE, host)):
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            found.append(x509.DNSName(name))
        else:
            found.append(x509.IPAddress(address))
    return found
