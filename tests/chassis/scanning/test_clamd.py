"""A scanner's word: what counts as one, and what does not."""

import asyncio
from pathlib import Path

import pytest

from filewright.chassis.scanning.address import parse_addresses
from filewright.chassis.scanning.clamd import BELIEVED_SECONDS, REST_SECONDS, Clamd
from filewright.chassis.scanning.line import Patience
from filewright.chassis.scanning.nothing import NoScanner
from filewright.chassis.scanning.port import CLEAN, Finding, ScannerUnavailable
from filewright.chassis.scanning.several import ClamdPool
from filewright.chassis.telemetry.metrics import Metrics
from filewright.chassis.testing.servers.clamd import EICAR, PrivateClamd
from scankit import liar as manners
from scankit.dressed import DRESSINGS, harmless, infected, zipped
from scankit.liar import Liar, lying

SHORT = Patience(answer=1.5, scan=60.0)
LONG = 3 << 20


@pytest.fixture
async def liar():
    async with lying() as found:
        yield found


@pytest.fixture
def file(tmp_path):
    def make(content: bytes = b"hello") -> Path:
        path = tmp_path / f"file-{len(list(tmp_path.iterdir()))}"
        path.write_bytes(content)
        return path

    return make


@pytest.fixture
def pool(clock):
    def make(*urls: str, patience: Patience = SHORT) -> ClamdPool:
        return ClamdPool(parse_addresses(",".join(urls)), clock, Metrics(), patience)

    return make


# --- with the real one -----------------------------------------------------------------------------------------------


@pytest.mark.requirement("B30", "S17", "J3")
@pytest.mark.parametrize("dressing", [name for name in DRESSINGS if not name.endswith("pdf")])  # see test_revealing.py
async def test_malware_is_found_in_whatever_it_is_packed_and_its_twin_is_clean(clamd_server, pool, file, dressing):
    scanner = pool(clamd_server.url, patience=Patience())
    verdict = await scanner.scan(file(infected(dressing)[1]))
    assert (verdict.finding, "Eicar" in verdict.name) == (Finding.MALWARE, True)
    assert await scanner.scan(file(harmless(dressing)[1])) == CLEAN


@pytest.mark.requirement("B30", "S17")
@pytest.mark.usefixtures("clamd_server")  # says so where none is installed
async def test_what_is_too_deep_or_too_large_to_be_seen_is_never_clean(pool, file):
    deep = EICAR
    for _ in range(22):
        deep = zipped(deep)
    small = PrivateClamd(StreamMaxLength="4M", MaxFileSize="2M", MaxScanSize="2M")
    try:
        scanner = pool(small.url, patience=Patience())
        for content in (deep, bytes(3 << 20) + EICAR, bytes(9 << 20) + EICAR):
            assert (await scanner.scan(file(content))).finding is Finding.NOT_LOOKED_INTO
        assert await scanner.scan(file(b"small and plain")) == CLEAN
    finally:
        small.stop()


@pytest.mark.requirement("B30", "S17")
@pytest.mark.usefixtures("clamd_server")
async def test_a_scanner_that_says_ok_of_what_it_did_not_look_into_is_not_believed(clock, file):
    careless = PrivateClamd(AlertExceedsMax="no")
    try:
        (address,) = parse_addresses(careless.url)
        scanner = Clamd(address, clock)
        with pytest.raises(ScannerUnavailable, match="AlertExceedsMax yes"):
            await scanner.scan(file())
    finally:
        careless.stop()


@pytest.mark.requirement("F20", "S17")
async def test_a_scanner_that_is_killed_or_frozen_while_it_scans_has_said_nothing(own_clamd, pool, file, clock):
    scanner = pool(own_clamd.url)
    assert await scanner.scan(file()) == CLEAN
    own_clamd.freeze()
    scanning = asyncio.create_task(scanner.scan(file()))
    with pytest.raises(ScannerUnavailable, match="alive"):
        await scanning
    own_clamd.thaw()
    clock.move(REST_SECONDS + 1)
    assert await scanner.usable()
    own_clamd.freeze()
    scanning = asyncio.create_task(scanner.scan(file(bytes(LONG))))
    while not scanner.scans_now:
        await asyncio.sleep(0.01)
    own_clamd.kill()
    with pytest.raises(ScannerUnavailable):
        await scanning
    assert not await scanner.usable()
    own_clamd.restart()
    clock.move(REST_SECONDS + 1)
    assert (await scanner.scan(file(EICAR))).finding is Finding.MALWARE


@pytest.mark.requirement("I1")
async def test_of_several_scanners_those_that_are_well_do_the_work(own_clamd, clamd_server, pool, file, clock):
    scanner = pool(own_clamd.url, clamd_server.url)
    await scanner.usable()
    own_clamd.kill()
    for _ in range(4):
        assert (await scanner.scan(file(EICAR))).finding is Finding.MALWARE
    shown = scanner.facts()["scanners"]
    assert [one["ok"] for one in shown] == [False, True]
    assert shown[0]["trouble"]
    own_clamd.restart()
    clock.move(REST_SECONDS + 1)
    assert await scanner.usable()
    assert [one["ok"] for one in scanner.facts()["scanners"]] == [True, True]


# --- with those that only sound like one -----------------------------------------------------------------------------


async def test_what_speaks_like_a_scanner_is_understood(liar: Liar, pool, file):
    """So that the tests below fail for what they are about."""
    scanner = pool(str(liar.address))
    assert await scanner.scan(file()) == CLEAN
    assert (await scanner.scan(file(EICAR))).finding is Finding.MALWARE


LIES = {
    "nothing": manners.hangs_up,
    "nothing after all of it": manners.hangs_up_at_the_end,
    "a cut line": manners.hangs_up_in_the_middle,
    "garbage": manners.says(b"\x00\xff\x13garbage"),
    "an answer without its end": manners.says(b"stream: OK"),
    "half an answer": manners.says(b"stream: O\0"),
    "a lower-case answer": manners.says(b"stream: ok\0"),
    "an answer to another question": manners.says(b"PONG\0"),
    "an answer with a number": manners.says(b"1: stream: OK\0"),
    "another file's answer": manners.says(b"/etc/passwd: OK\0"),
    "two answers": manners.says(b"stream: OK\0stream: OK\0"),
    "an answer and more": manners.says(b"stream: OK\0\0"),
    "an error": manners.says(b"stream: Can't allocate memory ERROR\0"),
    "an empty answer": manners.says(b"\0"),
    "a line without end": manners.says(b"stream: " + b"x" * 100_000),
    "a name that is none": manners.says(b"stream:  FOUND\0"),
    "OK at once": manners.says_ok_at_once,
    "OK in the middle": manners.says_ok_in_the_middle,
}


@pytest.mark.requirement("F20", "S17")
@pytest.mark.parametrize("lie", LIES)
async def test_no_answer_but_the_one_makes_a_file_clean(liar: Liar, pool, file, lie):
    scanner = pool(str(liar.address))
    assert await scanner.usable()
    liar.manner = LIES[lie]
    with pytest.raises(ScannerUnavailable):
        await scanner.scan(file(bytes(LONG)))
    assert liar.scans == 1


@pytest.mark.requirement("F20", "S17")
@pytest.mark.parametrize("silence", [manners.says_nothing, manners.takes_nothing])
async def test_silence_is_no_answer(liar: Liar, pool, file, silence):
    scanner = pool(str(liar.address))
    assert await scanner.usable()
    liar.manner, liar.alive = silence, False
    with pytest.raises(ScannerUnavailable):
        await scanner.scan(file(bytes(20 << 20)))


@pytest.mark.requirement("F20", "S17")
async def test_one_that_never_ends_although_it_is_alive_is_given_up(liar: Liar, pool, file):
    scanner = pool(str(liar.address), patience=Patience(answer=2.0, scan=3.0))
    assert await scanner.usable()
    liar.manner = manners.says_nothing
    with pytest.raises(ScannerUnavailable, match="too long"):
        await scanner.scan(file())


@pytest.mark.requirement("F20", "S17")
async def test_one_that_finds_nothing_in_anything_is_not_believed(liar: Liar, pool, file):
    liar.manner = manners.says(manners.HONEST)
    scanner = pool(str(liar.address))
    with pytest.raises(ScannerUnavailable, match="test file"):
        await scanner.scan(file())
    assert not await scanner.usable()


@pytest.mark.requirement("F20")
async def test_one_that_goes_blind_is_found_out(liar: Liar, pool, file, clock):
    scanner = pool(str(liar.address))
    assert await scanner.scan(file()) == CLEAN
    liar.manner = manners.says(manners.HONEST)
    clock.move(BELIEVED_SECONDS + 1)
    with pytest.raises(ScannerUnavailable, match="test file"):
        await scanner.scan(file())


@pytest.mark.parametrize(
    ("answer", "finding"),
    [
        (b"stream: Win.Test(44d88612fea8a8f36de82e1278abb02f:68) FOUND\0", Finding.MALWARE),
        (b"stream: Heuristics.Phishing.Email FOUND\0", Finding.MALWARE),
        (b"stream: Heuristics.Encrypted.Zip FOUND\0", Finding.NOT_LOOKED_INTO),
        (b"stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\0", Finding.NOT_LOOKED_INTO),
        (b"INSTREAM size limit exceeded. ERROR\0", Finding.NOT_LOOKED_INTO),
    ],
)
async def test_alerts_say_what_was_found_or_how_far_it_looked(liar: Liar, pool, file, answer, finding):
    scanner = pool(str(liar.address))
    await scanner.usable()
    liar.manner = manners.says(answer)
    assert (await scanner.scan(file())).finding is finding


async def test_a_scan_that_is_cancelled_ends_at_once(liar: Liar, pool, file):
    scanner = pool(str(liar.address), patience=Patience())
    await scanner.usable()
    liar.manner = manners.says_nothing
    scanning = asyncio.create_task(scanner.scan(file()))
    while not liar.scans:
        await asyncio.sleep(0.01)
    scanning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await scanning
    assert not scanner.scans_now


async def test_nobody_at_the_address_is_no_scanner(pool, file, tmp_path):
    scanner = pool(f"unix://{tmp_path}/nobody")
    with pytest.raises(ScannerUnavailable, match="reached"):
        await scanner.scan(file())


async def test_no_scanner_never_says_that_a_file_is_clean(file):
    scanner = NoScanner()
    assert not scanner.active
    assert scanner.facts()["kind"] == "none"
    with pytest.raises(ScannerUnavailable):
        await scanner.scan(file())
