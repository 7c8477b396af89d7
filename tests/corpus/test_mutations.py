"""Damage done to good files at random: bytes flipped, ends cut off, noise behind, a name of another family.

Only two things may come of it: a product, or an error in a code that says what is wrong. Which files and bytes are
hurt is drawn from a fixed seed, and how many never depends on the machine.
"""

from __future__ import annotations

import random

import pytest

from corpus.trying import REFUSAL_SECONDS
from corpus.wanted import wanted_targets

SEED = 20_261_122
ROUNDS = 4
TRIED = 25
MAX_BYTES = 1 << 20
ALLOWED = {"corrupt_input", "type_mismatch", "unsupported_format", "unsupported_conversion", "password_required",
           "wrong_password", "image_too_large", "archive_bomb", "too_large", "too_many_pages", "resource_limit",
           "timeout", "output_invalid"}  # fmt: skip


def flipped(data, chance):
    hurt = bytearray(data)
    for _ in range(20):
        hurt[chance.randrange(len(hurt))] ^= 1 << chance.randrange(8)
    return bytes(hurt)


def halved(data, chance):
    return data[: len(data) // 2]


def followed_by_noise(data, chance):
    return data + chance.randbytes(1 << 20)


def untouched(data, chance):
    return data


MUTATIONS = [flipped, halved, followed_by_noise, untouched]
OTHER_ENDINGS = {"png": ".docx", "docx": ".mp3", "pdf": ".png", "csv": ".zip", "zip": ".pdf"}


@pytest.mark.slow
@pytest.mark.requirement("B31", "B29", "B35")
@pytest.mark.parametrize("share", range(ROUNDS))
@pytest.mark.sampled(4)
async def test_a_damaged_file_gives_a_product_or_an_error_that_says_why(bench, cases, places, tmp_path, share):
    chance = random.Random(SEED + share)
    good = [case for case in cases if not case.refused_for and case.family != "video"]
    pairs = [(case, mutate) for case in good for mutate in MUTATIONS]
    chance.shuffle(pairs)
    small = [pair for pair in pairs if pair[0].place(places).stat().st_size <= MAX_BYTES]
    assert len(small) >= TRIED
    for case, mutate in small[:TRIED]:
        source = case.place(places)
        source_format = await bench.format_of(source, case.filename)
        targets = wanted_targets(source_format, [route.target for route in bench.promised(source_format)])
        hurt = tmp_path / "hurt"
        hurt.write_bytes(mutate(source.read_bytes(), chance))
        name = (
            case.filename if mutate is not untouched else f"{case.filename}{OTHER_ENDINGS.get(source_format, '.png')}"
        )
        async with bench.converting(hurt, name, chance.choice(targets), seconds=REFUSAL_SECONDS) as ending:
            said = f"{case.name} {mutate.__name__} → {ending.target}: {ending.code} {ending.detail}"
            assert ending.converted or ending.code in ALLOWED, said
        hurt.unlink()
