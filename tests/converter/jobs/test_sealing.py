"""A password at rest."""

import pytest

from filewright.chassis.sealing import CannotOpen
from filewright.converter.jobs.sealing import Sealer

SEALER = Sealer(b"s" * 32)


def test_what_was_sealed_opens_again_for_the_same_job_only():
    sealed = SEALER.seal("grüße", context="job_1")
    assert SEALER.open(sealed, context="job_1") == "grüße"
    with pytest.raises(CannotOpen):
        SEALER.open(sealed, context="job_2")


def test_the_password_is_not_in_what_is_kept_and_two_seals_differ():
    first, second = (SEALER.seal("sesame", context="job_1") for _ in range(2))
    assert b"sesame" not in first
    assert first != second


def test_another_secret_or_a_changed_byte_does_not_open_it():
    sealed = SEALER.seal("sesame", context="job_1")
    for other in (Sealer(b"t" * 32), Sealer(None)):
        with pytest.raises(CannotOpen):
            other.open(sealed, context="job_1")
    with pytest.raises(CannotOpen):
        SEALER.open(sealed[:-1] + bytes([sealed[-1] ^ 1]), context="job_1")


def test_without_a_secret_it_is_kept_as_it_is():
    open_sealer = Sealer(None)
    assert open_sealer.open(open_sealer.seal("sesame", context="x"), context="y") == "sesame"
