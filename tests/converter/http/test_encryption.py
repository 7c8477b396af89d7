"""A service that stores everything encrypted is the same service to those who use it."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from httpkit.live import IN_ONE_ANSWER, Live

from filewright.converter.maintenance.rewrapping import Rewrapping
from filewright.converter.settings import SettingsError, load

SECRET = b"what nobody else shall read, "


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "master.key"
    path.write_bytes(base64.b64encode(os.urandom(48)) + b"\n")
    return path


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory, serve: Callable[..., Any], master: Path) -> Iterator[Live]:
    with serve(tmp_path_factory.mktemp("vault"), settings={"master_key_file": str(master)}) as service:
        yield service


def converted(service: Live, content: bytes) -> str:
    """The address of the result."""
    with service.client() as http:
        files = {"file": ("note.txt", content)}
        answer = http.post("/v1/convert", data={"to": "md"}, files=files, headers=IN_ONE_ANSWER)
        assert answer.content == content.upper(), answer.text[:500]
        return f"/v1/jobs/{answer.headers['link'].split('/v1/jobs/')[1].split('>')[0]}/outputs/0"


@pytest.mark.requirement("S25")
def test_results_and_parts_of_them_are_what_they_were_and_nothing_of_them_lies_open(vault: Live) -> None:
    content = SECRET * 10_000
    output = converted(vault, content)
    with vault.client() as http:
        part = http.get(output, headers={"Range": "bytes=200000-200009"})
        assert (part.status_code, part.content) == (206, content.upper()[200000:200010])
        assert http.get(output).content == content.upper()

    async def stored() -> dict[str, bytes]:
        inner = vault.world.store._inner  # type: ignore[attr-defined]
        keys = [info.key async for info in inner.list()]
        return {key: b"".join([block async for block in inner.get(key)]) for key in keys}

    for key, lies in vault.call(stored).items():
        assert key.endswith(".fwe")
        assert SECRET not in lies.lower()


def test_nobody_is_sent_to_the_bucket_for_what_only_we_can_open(vault: Live) -> None:
    output = converted(vault, b"hello")
    with vault.client() as http:
        answer = http.get(f"{output}?redirect=1")
        assert (answer.status_code, answer.content) == (200, b"HELLO")
        ticket = http.post("/v1/uploads", json={"filename": "a.txt", "bytes": 5}).raise_for_status().json()
        assert "/v1/uploads/" in ticket["url"]


@pytest.mark.requirement("S6", "F28")
def test_a_new_master_key_is_taken_up_without_a_pause(vault: Live, master: Path) -> None:
    before = converted(vault, b"under the old one")
    with master.open("ab") as file:
        file.write(base64.b64encode(os.urandom(48)) + b"\n")
    after = converted(vault, b"under the new one")

    async def rewrap() -> int:
        assert vault.world.keys is not None
        return await Rewrapping(vault.world.keys, vault.world.audit).run_once()

    deadline = time.monotonic() + 60
    while vault.call(rewrap) and time.monotonic() < deadline:
        continue
    master.write_bytes(master.read_bytes().splitlines(keepends=True)[-1])
    with vault.client() as http:
        assert http.get(before).content == b"UNDER THE OLD ONE"
        assert http.get(after).content == b"UNDER THE NEW ONE"
        found = http.get("/v1/admin/audit", params={"action": "master_key.rotated"}).json()["data"]
    assert sum(act["details"]["keys"] for act in found) >= 1


@pytest.mark.requirement("S34")
@pytest.mark.parametrize(("content", "sentence"), [(None, "no such file"), (b"weak", "at least 32 bytes")])
def test_a_missing_or_weak_master_key_is_refused(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    path = tmp_path / "master.key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=f"FILEWRIGHT_MASTER_KEY_FILE: .*{sentence}"):
        load({"FILEWRIGHT_MASTER_KEY_FILE": str(path)})
