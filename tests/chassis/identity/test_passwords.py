"""Passwords: argon2id with parameters that each hash names, bounded work, and lists of those that everybody knows."""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading

import pytest

from filewright.chassis.identity.known_passwords import AnyOf, BreachedPasswords, FrequentPasswords
from filewright.chassis.identity.passwords import Cost, Passwords, TooManyHashes

CHEAP = Cost(passes=1, memory_kib=64)


@pytest.mark.requirement("S8")
async def test_a_hash_is_argon2id_at_no_less_than_what_is_asked_of_it():
    made = await Passwords().hash("rather long and unheard of")
    found = re.fullmatch(r"\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$[^$]{22,}\$[^$]{43,}", made)
    assert found is not None
    memory, passes, lanes = map(int, found.groups())
    assert memory >= 19 * 1024
    assert passes >= 2
    assert lanes >= 1


@pytest.mark.requirement("S8")
async def test_parameters_are_read_from_the_hash_and_an_older_one_is_known_for_outdated():
    old, new = Passwords(CHEAP), Passwords(Cost(passes=2, memory_kib=128))
    made = await old.hash("a password")
    assert await new.verify(made, "a password")
    assert not await new.verify(made, "another password")
    assert new.is_outdated(made)
    assert not old.is_outdated(made)


async def test_nobodys_password_is_never_right():
    passwords = Passwords(CHEAP)
    assert not await passwords.verify(None, "")
    assert not await passwords.verify("no hash at all", "no hash at all")


@pytest.mark.requirement("S8")
async def test_only_a_few_hashes_are_made_at_once_and_only_so_many_wait(monkeypatch):
    passwords = Passwords(CHEAP, at_once=2, waiting=3)
    most, inside, gate = [], [0], threading.Event()

    def slow(_password):
        inside[0] += 1
        most.append(inside[0])
        assert gate.wait(30)
        inside[0] -= 1
        return "hash"

    monkeypatch.setattr(passwords, "_hasher", type("Slow", (), {"hash": staticmethod(slow)})())
    crowd = [asyncio.create_task(passwords.hash(str(number))) for number in range(20)]
    refused = 0
    while refused < 15:
        await asyncio.sleep(0)
        refused = sum(task.done() and isinstance(task.exception(), TooManyHashes) for task in crowd)
    gate.set()
    await asyncio.wait(crowd)
    assert sum(task.exception() is None for task in crowd) == 5
    assert max(most) <= 2


@pytest.mark.requirement("S8")
@pytest.mark.parametrize("password", ["password", "12345678", "qwertyuiop", "Football", "iloveyou1"])
def test_frequent_passwords_are_known(password):
    assert FrequentPasswords().has(password)


def test_others_are_not():
    assert not FrequentPasswords().has("rather long and unheard of")


@pytest.mark.requirement("S8")
def test_a_breached_password_is_found_wherever_its_digest_lies(tmp_path):
    words = [f"word {number}" for number in range(997)]
    digests = {word: hashlib.sha1(word.encode()).hexdigest().upper() for word in words}
    lines = sorted(f"{digest}:{number % 90_000}" for number, digest in enumerate(digests.values()))
    for ending in ("\n", "\r\n"):
        path = tmp_path / f"pwned{len(ending)}.txt"
        path.write_bytes((ending.join(lines) + ending).encode())
        breached = BreachedPasswords(path)
        assert all(breached.has(word) for word in words)
        assert not any(breached.has(f"word {number}") for number in range(997, 1997))
        assert AnyOf(FrequentPasswords(), breached).has("word 5")


@pytest.mark.parametrize("content", [b"", b"hello\n", b"0" * 40 + b"\n", b"G" * 40 + b":1\n"])
def test_another_file_is_not_taken_for_a_list(tmp_path, content):
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="SHA-1"):
        BreachedPasswords(path)
