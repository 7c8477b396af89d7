"""What lies in Redis is taken for a value only if one of us put it there, under this key, whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewright.chassis.cache.frames import Frame, Frames

FRAMES = Frames(b"s" * 32)
FRAME = Frame(b"m" * 16, 0.25, b"the value")


@given(st.text(), st.binary(min_size=16, max_size=16), st.floats(0, 1e9), st.binary())
def test_what_was_packed_is_opened(name, mark, cost, value):
    frame = Frame(mark, cost, value)
    assert FRAMES.open(name, FRAMES.pack(name, frame)) == frame


@pytest.mark.requirement("S21")
@given(st.data())
def test_what_was_changed_or_cut_is_not(data):
    packed = bytearray(FRAMES.pack("jobs.1:a", FRAME))
    at = data.draw(st.integers(0, len(packed) - 1))
    if data.draw(st.booleans()):
        packed[at] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del packed[at:]
    assert FRAMES.open("jobs.1:a", bytes(packed)) is None


@pytest.mark.requirement("S20", "S21")
@pytest.mark.parametrize(("secret", "name"), [(b"s" * 32, "jobs.1:b"), (b"t" * 32, "jobs.1:a"), (b"s" * 32, "jobs.1:")])
def test_what_is_of_another_key_or_secret_is_not(secret, name):
    assert Frames(secret).open(name, FRAMES.pack("jobs.1:a", FRAME)) is None
