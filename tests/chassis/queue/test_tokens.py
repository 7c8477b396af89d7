"""A token says which row to look at, and nobody without the secret can make one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewright.chassis.queue.port import LANES, PREMIUM, Task
from filewright.chassis.queue.tokens import Forged, sign, verify

SECRET = b"a secret of the tests, of 32 bytes or more"
names = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)


@given(kind=names, task_id=names, lane=st.sampled_from(LANES))
def test_what_was_signed_is_read_back(kind, task_id, lane):
    assert verify(sign(kind, task_id, lane, SECRET), SECRET) == Task(kind, task_id, lane)


@given(at=st.integers(0, 200), character=st.characters(codec="utf-8"))
def test_no_character_of_a_token_can_be_another(at, character):
    token = sign("job", "job_01", PREMIUM, SECRET)
    at %= len(token)
    changed = token[:at] + character + token[at + 1 :]
    if changed != token:
        with pytest.raises(Forged):
            verify(changed, SECRET)


@given(untrusted=st.one_of(st.text(), st.none(), st.integers(), st.lists(st.text()), st.binary()))
def test_nothing_else_is_a_token(untrusted):
    with pytest.raises(Forged):
        verify(untrusted, SECRET)


def test_a_token_of_another_secret_is_forged():
    with pytest.raises(Forged):
        verify(sign("job", "job_01", PREMIUM, b"somebody else's secret"), SECRET)


def test_parts_cannot_be_moved_from_one_name_to_the_next():
    one, other = sign("a", "b-c", PREMIUM, SECRET), sign("a-b", "c", PREMIUM, SECRET)
    assert one.split(".")[-1] != other.split(".")[-1]


@pytest.mark.parametrize("name", ["", "a.b", "a b", "ä", "a" * 65, "a\n"])
def test_a_name_that_could_be_read_in_two_ways_is_not_signed(name):
    for names in ((name, "id", PREMIUM), ("job", name, PREMIUM), ("job", "id", name)):
        with pytest.raises(ValueError, match="cannot be in a token"):
            sign(*names, SECRET)
