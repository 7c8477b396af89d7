"""An OpenID provider in a process of its own. Any client and secret are good there; it wants PKCE as it was begun."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import httpx

from filewright.chassis.testing.servers.process import free_port


@contextmanager
def openid_provider() -> Iterator[str]:
    """Its address, which is its name as an issuer."""
    port = free_port()
    address = f"http://localhost:{port}"
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 60
            while not _is_up(address):
                assert process.poll() is None, "the provider ended"
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield address
        finally:
            process.terminate()


def introduce(provider: str, subject: str, **claims: object) -> None:
    """Let the provider know somebody."""
    httpx.put(f"{provider}/users/{quote(subject)}", json=claims).raise_for_status()


def _is_up(address: str) -> bool:
    try:
        return httpx.get(f"{address}/.well-known/openid-configuration").status_code == 200
    except httpx.TransportError:
        return False
