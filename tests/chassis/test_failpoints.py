"""Points of failure act at the hits they are armed for, and never otherwise."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from filewright.chassis import failpoints

POINT = "tests.here"


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoints.arm("")


def outcomes(hits: int) -> list[str]:
    seen = []
    for _ in range(hits):
        try:
            failpoints.hit(POINT)
        except OSError as error:
            seen.append(str(error.errno))
        else:
            seen.append("-")
    return seen


@pytest.mark.parametrize(
    ("armed", "expected"),
    [
        ("", "- - - -"),
        ("tests.other=raise:EIO", "- - - -"),
        (f"{POINT}=raise:EIO", "5 5 5 5"),
        (f"{POINT}=raise:EIO@3", "- - 5 5"),
        (f"{POINT}=raise:ENOSPC@2-3", "- 28 28 -"),
        (f"tests.other=sigkill,{POINT}=raise:EIO@1-1", "5 - - -"),
    ],
)
def test_a_point_fails_at_the_hits_it_is_armed_for(armed, expected):
    failpoints.arm(armed)
    assert outcomes(4) == expected.split()


def test_what_a_point_does_is_said_first(capsys):
    failpoints.arm(f"{POINT}=sleep:0")
    failpoints.hit(POINT)
    assert capsys.readouterr().err == f"failpoint {POINT}: sleep:0\n"


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="use sigkill"):
        failpoints.arm(f"{POINT}=explode")
