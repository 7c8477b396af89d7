"""A process that answers nobody says how it is; one that hangs or has died says nothing, and that is seen."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from filewright.chassis.telemetry import service_manager
from filewright.chassis.telemetry.heartbeat import Condition, Heartbeat, read_sign
from filewright.chassis.testing.clock import FakeClock

GOOD_FOR = 20.0


class Patient:
    """What is looked at."""

    def __init__(self) -> None:
        self.wrong = ""
        self.hangs = False
        self.looked = 0

    async def look(self) -> tuple[str, Mapping[str, Any]]:
        self.looked += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.wrong == "fails":
            raise RuntimeError("no idea")
        return self.wrong, {"busy": self.looked}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def patient() -> Patient:
    return Patient()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "health.json"


async def test_a_process_is_heard_of_for_as_long_as_it_beats(clock: FakeClock, patient: Patient, file: Path):
    assert read_sign(file, clock).condition is Condition.SILENT
    async with Heartbeat(file, patient.look, clock).beating():
        for _ in range(10):
            await clock.advance(6)
            sign = read_sign(file, clock)
            assert (sign.condition, sign.pid, sign.is_well) == (Condition.READY, os.getpid(), True)
        assert patient.looked > 10
        assert sign.facts == {"busy": patient.looked}
    assert read_sign(file, clock).condition is Condition.SILENT
    assert list(file.parent.iterdir()) == []


async def test_one_that_hangs_is_silent_after_a_while(clock: FakeClock, patient: Patient, file: Path):
    async with Heartbeat(file, patient.look, clock).beating():
        clock.move(GOOD_FOR - 1)  # without giving it a turn, as when its loop is blocked
        assert read_sign(file, clock).is_alive
        clock.move(2)
        sign = read_sign(file, clock)
        assert (sign.condition, sign.is_alive, sign.is_well) == (Condition.SILENT, False, False)
        await clock.advance(6)
        assert read_sign(file, clock).is_well


@pytest.mark.parametrize(("wrong", "said"), [("no database", "no database"), ("fails", "cannot look after itself")])
async def test_one_that_cannot_work_lives_and_says_why(
    clock: FakeClock, patient: Patient, file: Path, wrong: str, said: str
):
    async with Heartbeat(file, patient.look, clock).beating():
        patient.wrong = wrong
        await clock.advance(6)
        sign = read_sign(file, clock)
        assert (sign.condition, sign.is_alive, sign.is_well) == (Condition.UNWELL, True, False)
        assert said in sign.why


async def test_being_told_to_end_is_said_at_once_and_is_no_illness(clock: FakeClock, patient: Patient, file: Path):
    heartbeat = Heartbeat(file, patient.look, clock)
    async with heartbeat.beating():
        await heartbeat.drain()
        sign = read_sign(file, clock)
        assert (sign.condition, sign.is_well) == (Condition.DRAINING, True)
        await clock.advance(6)
        assert read_sign(file, clock).condition is Condition.DRAINING


def test_a_sign_from_before_the_machine_started_anew_is_none(clock: FakeClock, file: Path):
    file.write_text(json.dumps({"condition": "ready", "at": 1e9, "pid": 1}))
    assert not read_sign(file, clock).is_alive


@pytest.mark.parametrize("content", ["", "{", '{"condition": "splendid"}'])
def test_what_cannot_be_read_is_silence(clock: FakeClock, file: Path, content: str):
    file.write_text(content)
    assert not read_sign(file, clock).is_alive


async def test_a_disk_that_is_full_ends_nothing(clock: FakeClock, patient: Patient, tmp_path: Path):
    heartbeat = Heartbeat(tmp_path / "missing" / "health.json", patient.look, clock)
    async with heartbeat.beating():
        await clock.advance(6)
    assert patient.looked > 1


async def test_systemd_is_told_at_each_beat(
    clock: FakeClock, patient: Patient, file: Path, monkeypatch: pytest.MonkeyPatch
):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0filewright-test-{os.getpid()}")
        systemd.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@filewright-test-{os.getpid()}")
        heartbeat = Heartbeat(file, patient.look, clock)
        async with heartbeat.beating():
            await clock.advance(6)
            await heartbeat.drain()
        told = [systemd.recv(100).decode() for _ in range(5)]
    assert told == ["WATCHDOG=1", "READY=1", "WATCHDOG=1", "STOPPING=1", "WATCHDOG=1"]


def test_without_systemd_nobody_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/at/all")
    service_manager.tell(service_manager.READY)
    monkeypatch.delenv("NOTIFY_SOCKET")
    service_manager.tell(service_manager.READY)
