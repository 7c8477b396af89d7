"""The text of keys: known for keys by their beginning, for whole by their end, and for nothing else."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewright.chassis.identity.api_keys import digest, is_sound, looks_like_key, make_key


@pytest.mark.requirement("S7")
def test_a_key_says_what_it_is_and_has_thirty_random_characters_and_a_checksum():
    key = make_key("fw", live=True)
    assert key.text.startswith("fw_live_")
    assert make_key("fw", live=False).text.startswith("fw_test_")
    rest = key.text.removeprefix("fw_live_")
    assert len(rest) == 36
    assert set(rest) <= set(string.digits + string.ascii_letters)
    assert key.hint == key.text[:12]
    assert key.text not in repr(key)
    assert len({make_key("fw", live=True).text for _ in range(1000)}) == 1000


@pytest.mark.requirement("S7")
def test_a_key_with_any_one_character_changed_is_known_for_broken():
    key = make_key("fw", live=True).text
    assert is_sound(key, "fw")
    for place in range(len("fw_live_"), len(key)):
        for other in "0Aa":
            changed = key[:place] + other + key[place + 1 :]
            assert is_sound(changed, "fw") == (changed == key)


FORGED = ["", "fw_live_", "fw_live_" + "0" * 36, "fw_live_" + "0" * 35, "fw_live_" + "é" * 36, "sk_live_" + "0" * 36]


@pytest.mark.requirement("S7")
@pytest.mark.parametrize("text", FORGED)
def test_what_is_no_key_is_none(text):
    assert not is_sound(text, "fw")


def test_the_kind_belongs_to_what_is_checked():
    key = make_key("fw", live=False).text
    assert not is_sound(key.replace("_test_", "_live_"), "fw")
    assert not is_sound(key + "\n", "fw")
    assert looks_like_key(key + "\n", "fw")


@given(st.text(max_size=60))
def test_no_text_breaks_the_check(text):
    assert is_sound(text, "fw") is False
    assert is_sound("fw_live_" + text, "fw") is False


def test_the_digest_is_that_of_the_whole_text():
    assert digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
