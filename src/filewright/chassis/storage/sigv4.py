"""Signatures of S3 (AWS Signature Version 4) for requests that the object-store library does not make.

The library signs an address with no more than its method and its age. An address that a browser gets must say more:
how many bytes may be sent, what the answer is called, and from when it counts, so that it is the same for a while and
an edge cache can hit. Written after the published algorithm, held against botocore's signatures in the tests.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote, urlsplit

UNSIGNED = "UNSIGNED-PAYLOAD"
LONGEST = timedelta(days=7)
_ALGORITHM = "AWS4-HMAC-SHA256"
_PLAIN = "-_.~"


@dataclass(frozen=True)
class Signer:
    """Signs with one key pair for one region."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    region: str

    def url(
        self,
        method: str,
        url: str,
        *,
        at: datetime,
        lifetime: timedelta,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """The address with a signature that counts from `at`; who uses it has to send exactly these `headers`.

        `url` has no query and its path is quoted. Raises ValueError for a lifetime that no server would take.
        """
        if not timedelta(0) < lifetime <= LONGEST:
            raise ValueError("a signed address lives up to seven days")
        signed = {"host": urlsplit(url).netloc, **_lower(headers)}
        parameters = {
            **(query or {}),
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": f"{self.access_key_id}/{self._scope(at)}",
            "X-Amz-Date": _stamp(at),
            "X-Amz-Expires": str(int(lifetime.total_seconds())),
            "X-Amz-SignedHeaders": _names(signed),
        }
        signature = self._signature(method, url, parameters, signed, UNSIGNED, at)
        return f"{url}?{_query(parameters)}&X-Amz-Signature={signature}"

    def headers(
        self,
        method: str,
        url: str,
        *,
        at: datetime,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> dict[str, str]:
        """All headers of a request that is made by ourselves, at once."""
        digest = hashlib.sha256(body).hexdigest()
        sent = {**_lower(headers), "x-amz-date": _stamp(at), "x-amz-content-sha256": digest}
        signed = {"host": urlsplit(url).netloc, **sent}
        signature = self._signature(method, url, query or {}, signed, digest, at)
        credential = f"Credential={self.access_key_id}/{self._scope(at)}"
        sent["authorization"] = f"{_ALGORITHM} {credential}, SignedHeaders={_names(signed)}, Signature={signature}"
        return sent

    def _scope(self, at: datetime) -> str:
        return f"{at:%Y%m%d}/{self.region}/s3/aws4_request"

    def _signature(
        self, method: str, url: str, query: Mapping[str, str], headers: Mapping[str, str], digest: str, at: datetime
    ) -> str:
        lines = [f"{name}:{' '.join(value.split())}\n" for name, value in sorted(headers.items())]
        path = urlsplit(url).path or "/"
        request = "\n".join((method, path, _query(query), "".join(lines), _names(headers), digest))
        hashed = hashlib.sha256(request.encode()).hexdigest()
        key = f"AWS4{self.secret_access_key}".encode()
        for step in (f"{at:%Y%m%d}", self.region, "s3", "aws4_request"):
            key = _mac(key, step)
        return _mac(key, "\n".join((_ALGORITHM, _stamp(at), self._scope(at), hashed))).hex()


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _stamp(at: datetime) -> str:
    return f"{at:%Y%m%dT%H%M%SZ}"


def _names(headers: Mapping[str, str]) -> str:
    return ";".join(sorted(headers))


def _lower(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {name.lower(): value for name, value in (headers or {}).items()}


def _query(parameters: Mapping[str, str]) -> str:
    quoted = sorted((quote(name, safe=_PLAIN), quote(value, safe=_PLAIN)) for name, value in parameters.items())
    return "&".join(f"{name}={value}" for name, value in quoted)
