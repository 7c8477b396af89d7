"""The checks that every product goes through must never throw a good file away."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.conversion.checks import check_files
from filewright.converter.conversion.inside.probe import LOOKED_AT, probe
from filewright.converter.errors import OutputInvalid

HEADERS_ONLY = frozenset({"docm", "otf"})
"""Samples that are only the beginning of a file."""


def test_a_true_file_of_each_format_is_let_through(samples: Mapping[str, bytes], tmp_path: Path) -> None:
    for name, data in samples.items():
        product = tmp_path / f"output.{name}"
        product.write_bytes(data)
        check_files([product], tmp_path, name, max_bytes=1 << 30)
        if name in LOOKED_AT - HEADERS_ONLY:
            [facts] = probe(paths=[str(product)], format_id=name, report=lambda _: None)
            assert all(value >= 0 for value in facts.values())
        product.unlink()


def test_a_file_of_each_format_that_is_opened_is_thrown_away_when_half_is_missing(
    samples: Mapping[str, bytes], tmp_path: Path
) -> None:
    """Streams of frames (MP3, MPEG, …) are good files at any length, so they are not among these."""
    product = tmp_path / "product"
    for name in ("pdf", "png", "docx", "xlsx", "zip", "7z", "tar.gz", "gz", "xz", "zst", "woff2", "sqlite", "parquet"):
        product.write_bytes(samples[name][: len(samples[name]) // 2])
        with pytest.raises((OutputInvalid, Refusal)):
            check_files([product], tmp_path, name, max_bytes=1 << 30)
            probe(paths=[str(product)], format_id=name, report=lambda _: None)


def test_the_transport_stream_of_a_few_pictures_is_let_through_and_one_with_a_packet_lost_is_not(
    samples: Mapping[str, bytes], tmp_path: Path
) -> None:
    """So few packets that MediaInfo does not see what they are."""
    product = tmp_path / "short.ts"
    short = samples["ts"][: 188 * 13]
    product.write_bytes(short)
    assert probe(paths=[str(product)], format_id="ts", report=lambda _: None) == [{}]
    for broken in (short[:-1], short[: 188 * 5] + short[188 * 5 + 40 :]):
        product.write_bytes(broken)
        with pytest.raises(Refusal):
            probe(paths=[str(product)], format_id="ts", report=lambda _: None)
