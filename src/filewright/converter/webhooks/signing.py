"""Standard Webhooks 1.0: secrets (`whsec_…`) and symmetric signatures (`v1`).

What is signed is `id.timestamp.body`, with HMAC-SHA256 under the bytes of the secret. While a secret is being changed
both sign, and a receiver accepts whichever it knows.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence

PREFIX = "whsec_"
_SECRET_BYTES = 32


def new_secret() -> str:
    """A secret as it is shown to its owner."""
    return _written(secrets.token_bytes(_SECRET_BYTES))


def derived_secret(root: bytes, tenant: str) -> str:
    """The tenant's secret for addresses that jobs name, which nobody registers: the same each time it is asked for."""
    return _written(hmac.digest(root, b"filewright webhooks of jobs\0" + tenant.encode(), hashlib.sha256))


def signed_headers(message_id: str, timestamp: int, body: bytes, keys: Sequence[str]) -> Mapping[str, str]:
    """The headers that go with a body; one signature for each of the secrets."""
    content = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{_signature(key, content)}" for key in keys),
    }


def _signature(key: str, content: bytes) -> str:
    raw = base64.b64decode(key.removeprefix(PREFIX))
    return base64.b64encode(hmac.digest(raw, content, hashlib.sha256)).decode()


def _written(raw: bytes) -> str:
    return PREFIX + base64.b64encode(raw).decode()
