"""The tiers as data: what is packaged, what a file of one's own changes, and how mistakes are told."""

from __future__ import annotations

from dataclasses import fields

import pytest

from filewright.converter.settings import SettingsError
from filewright.converter.tiers import ANONYMOUS, LOCAL, Tier
from filewright.converter.tiers.file import TiersError, load


@pytest.fixture
def written(tmp_path):
    def write(text: str):
        path = tmp_path / "tiers.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.requirement("J1", "J2", "J3")
def test_the_packaged_tiers_have_the_figures_of_the_founding_documents():
    tiers = load()
    assert set(tiers.by_name) == {"anonymous", "free", "premium", "admin", "local"}
    assert tiers.named("anonymous") == ANONYMOUS
    assert tiers.named("local") == LOCAL
    stranger, paying = tiers.named("anonymous"), tiers.named("premium")
    assert (stranger.conversions_per_minute, stranger.max_input_bytes) == (10, 100 << 20)
    assert paying.max_input_bytes > stranger.max_input_bytes
    assert paying.lane == "premium"
    assert paying.max_queued_jobs > stranger.max_queued_jobs
    assert paying.operations is None
    assert stranger.operations == ("convert",)


def test_a_file_changes_what_it_names_and_leaves_the_rest(written):
    tiers = load(written("currency: USD\ntiers:\n  free:\n    max_input_bytes: 7 MiB\n  gold:\n    lane: premium\n"))
    assert tiers.currency == "USD"
    assert tiers.named("free").max_input_bytes == 7 << 20
    assert tiers.named("free").monthly_conversions == 1000
    assert (tiers.named("gold").name, tiers.named("gold").lane) == ("gold", "premium")
    assert tiers.named("gold").conversions_per_minute == ANONYMOUS.conversions_per_minute


def test_a_tier_that_is_not_there_any_more_is_a_strangers():
    assert load().named("gone") == ANONYMOUS


def test_an_empty_file_changes_nothing(written):
    assert load(written("")) == load()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tiers:\n  free:\n    max_pages: none\n", "line 3: tiers.free.max_pages"),
        ("tiers:\n  free:\n    max_pages: 0\n", "line 3: tiers.free.max_pages"),
        ("tiers:\n  free:\n    max_page: 5\n", "line 3: tiers.free.max_page"),
        ("tiers:\n  free:\n    lane: fast\n", "line 3: tiers.free.lane"),
        ("tiers:\n  free: 5\n", "line 2: tiers.free"),
        ("tiers: 5\n", "line 1: tiers"),
        ("\ncurrency: euro\n", "line 2: currency"),
        ("tiers:\n  Free Tier:\n    lane: premium\n", "line 2: tiers.Free Tier"),
        ("tiers:\n  free:\n\tlane: premium\n", "line 3: this is not YAML"),
        ("- a\n- b\n", "line 1"),
        ("tiers:\n  free:\n    max_wall_seconds: .inf\n", "line 3: tiers.free.max_wall_seconds"),
        ("tiers:\n  free:\n    conversions_per_minute: -1\n", "line 3: tiers.free.conversions_per_minute"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_field(written, text, told):
    with pytest.raises(TiersError, match="line") as error:
        load(written(text))
    assert told in str(error.value)


def test_all_mistakes_are_told_at_once(written):
    with pytest.raises(TiersError) as error:
        load(written("tiers:\n  free:\n    max_pages: 0\n    lane: fast\n"))
    assert str(error.value).count("\n") == 1


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(TiersError, match="cannot be read"):
        load(tmp_path / "none.yaml")


async def test_a_service_does_not_start_on_a_file_with_mistakes(written, tmp_path):
    from filewright.converter.bootstrap import build
    from filewright.converter.settings import Settings

    settings = Settings(data_dir=tmp_path / "data", tiers_file=written("tiers:\n  free:\n    lane: fast\n"))
    with pytest.raises(SettingsError, match=r"FILEWRIGHT_TIERS_FILE: tiers\.yaml, line 3"):
        async with build(settings):
            pass


def test_a_job_keeps_what_workers_of_the_version_before_understand():
    kept = ANONYMOUS.of_a_job()
    first_version = {
        "name", "max_input_bytes", "max_output_bytes", "max_wall_seconds", "max_memory_bytes", "max_pages",
        "max_pixels", "max_queued_jobs", "retention_seconds",
    }  # fmt: skip
    assert set(kept) == first_version
    again = Tier.from_job({**kept, "of_a_later_version": 1})
    for item in fields(Tier):
        if item.name in first_version:
            assert getattr(again, item.name) == getattr(ANONYMOUS, item.name)
