from __future__ import annotations

import json
import os
import random
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filewright.chassis.testing.effort import cpu_seconds
from filewright.converter.errors import ConversionError, CorruptInput, TypeMismatch, UnsupportedFormat
from filewright.converter.formats.catalogue import FORMATS
from filewright.converter.formats.detection import detect, settle

Write = Callable[[str, bytes], Path]
NAMELESS = frozenset({"tga"})
"""Without any signature: nothing but the name tells."""
SECONDS = 0.5


def test_every_sample_is_known_by_its_content_alone(samples: Mapping[str, bytes], write: Write) -> None:
    found = {name: detect(write("unnamed", data)).format for name, data in samples.items() if name not in NAMELESS}
    assert found == {name: name for name in found}


def test_every_sample_is_known_with_its_name(samples: Mapping[str, bytes], write: Write) -> None:
    found = {}
    for name, data in samples.items():
        filename = f"file.{FORMATS[name].extension}"
        found[name] = settle(detect(write("sample", data), filename), filename)
    assert found == {name: name for name in found}


def test_the_samples_cover_the_catalogue(samples: Mapping[str, bytes]) -> None:
    needs_name_or_program = {
        *("doc", "xls", "ppt", "msg", "vsd", "pub", "wps", "azw3", "fodp", "geoparquet"),
        *("md", "rst", "adoc", "org", "typ", "textile", "mediawiki", "man", "yaml", "toml", "sub", "obj"),
        "tar.z",
    }
    assert set(FORMATS) - set(samples) == needs_name_or_program


@pytest.mark.requirement("S16", "B29")
@pytest.mark.parametrize(
    ("content", "name"), [("docx", "report.pdf"), ("png", "book.epub"), ("pdf", "photo.jpg"), ("html", "table.xls")]
)
def test_another_kind_of_content_is_refused_with_its_true_type_and_advice(
    samples: Mapping[str, bytes], write: Write, content: str, name: str
) -> None:
    path = write("sample", samples[content])
    with pytest.raises(TypeMismatch) as refused:
        settle(detect(path, name), name)
    assert FORMATS[content].name in refused.value.detail
    assert f"from={content}" in refused.value.detail
    assert settle(detect(path, name, believed=content), name, content) == content


@pytest.mark.requirement("S16")
@pytest.mark.parametrize(
    ("content", "name", "treated_as"),
    [
        ("jpg", "photo.png", "jpg"),
        ("rtf", "letter.doc", "rtf"),
        ("mp3", "song.wav", "mp3"),
        ("csv", "table.tsv", "tsv"),
        ("png", "no-extension", "png"),
        ("docx", "data.unknown", "docx"),
        ("docx", "data.zip", "zip"),
        ("geojson", "places.json", "json"),
        ("svg", "drawing.xml", "svg"),
        ("json", "notes.txt", "txt"),
        ("m4a", "sound.mp4", "mp4"),
        ("tar.gz", "backup.gz", "tar.gz"),
    ],
)
def test_content_of_the_same_kind_goes_by_what_it_is(
    samples: Mapping[str, bytes], write: Write, content: str, name: str, treated_as: str
) -> None:
    assert settle(detect(write("sample", samples[content]), name), name) == treated_as


@pytest.mark.requirement("B29")
@pytest.mark.parametrize(
    ("front", "back", "decided"),
    [
        ("pdf", "zip", "pdf"),
        ("gif", "html", "gif"),
        ("jpg", "pdf", "jpg"),
        ("png", "zip", "png"),
        ("jpg", "svg", "jpg"),
    ],
)
def test_a_file_of_two_types_is_of_the_one_that_it_begins_with(
    samples: Mapping[str, bytes], write: Write, front: str, back: str, decided: str
) -> None:
    assert detect(write("both", samples[front] + samples[back])).format == decided


@pytest.mark.requirement("B17", "B29")
def test_a_program_with_an_archive_behind_it_is_no_archive(samples: Mapping[str, bytes], write: Write) -> None:
    path = write("setup", b"MZ" + bytes(510) + samples["zip"])
    assert detect(path, "setup.zip").format is None
    with pytest.raises(CorruptInput):
        settle(detect(path, "setup.zip"), "setup.zip")
    with pytest.raises(UnsupportedFormat, match="a program"):
        settle(detect(path), None)


@pytest.mark.requirement("B17")
def test_postscript_named_as_a_photo_is_not_taken_for_a_photo(samples: Mapping[str, bytes], write: Write) -> None:
    assert detect(write("photo.jpg", samples["ps"]), "photo.jpg").format == "ps"
    with pytest.raises(TypeMismatch):
        settle(detect(write("photo.jpg", samples["ps"]), "photo.jpg"), "photo.jpg")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"])
def test_text_is_known_in_every_encoding(write: Write, encoding: str) -> None:
    assert detect(write("x", '{"name": "value"}'.encode(encoding))).format == "json"
    assert detect(write("x", "<html><body>Hello</body></html>".encode(encoding))).format == "html"


@pytest.mark.parametrize("encoding", ["cp866", "cp1252", "shift-jis", "gb18030", "koi8-r"])
def test_text_in_an_old_code_page_is_text(write: Write, encoding: str) -> None:
    words = {"cp1252": "Füße über Äcker", "shift-jis": "文章です", "gb18030": "中文文字"}.get(encoding, "Привет, мир")
    assert detect(write("x", (words * 20).encode(encoding)), "x.txt").format == "txt"


@pytest.mark.parametrize("name", ["bad.vtt", "bad.json", "bad.ics", "bad.svg", "bad.srt"])
def test_text_without_the_marks_of_its_format_is_damaged(write: Write, name: str) -> None:
    with pytest.raises(CorruptInput):
        settle(detect(write(name, b"these are only words\n"), name), name)


def test_markdown_that_begins_with_a_tag_or_looks_like_mail_stays_markdown(write: Write) -> None:
    assert detect(write("a", b'<p align="center">Logo</p>\n\n# Title\n'), "README.md").format == "md"
    assert detect(write("a", b"Title: x\nSubject: y\nDate: z\n\nText\n"), "post.md").format == "md"
    assert detect(write("a", b"Subject: Betreff\nTo: An\nFrom: Von\n"), "words.yaml").format == "yaml"


def test_a_cut_off_office_file_is_still_known_and_called_damaged(samples: Mapping[str, bytes], write: Write) -> None:
    data = samples["docx"]
    found = detect(write("x.docx", data[: len(data) // 2]), "x.docx")
    assert (found.format, found.damaged) == ("docx", True)


def test_an_encrypted_member_makes_a_zip_encrypted(samples: Mapping[str, bytes], write: Write) -> None:
    data = bytearray(samples["zip"])
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    assert detect(write("x.zip", bytes(data))).encrypted


@pytest.mark.requirement("B31")
@given(data=st.binary(max_size=4096), name=st.sampled_from(sorted(FORMATS)))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_under_any_name_get_a_typed_answer(tmp_path: Path, data: bytes, name: str) -> None:
    answer_of(tmp_path / "x", data, f"x.{FORMATS[name].extension}")


@pytest.mark.requirement("B31")
def test_damaged_samples_get_a_typed_answer_in_time(samples: Mapping[str, bytes], tmp_path: Path) -> None:
    chance = random.Random(7)
    for name, data in samples.items():
        filename = f"x.{FORMATS[name].extension}"
        for mutant in mutants(data, chance):
            seconds = cpu_seconds(partial(answer_of, tmp_path / "x", mutant, filename), enough=SECONDS)
            assert seconds < SECONDS, (name, len(mutant))


def mutants(data: bytes, chance: random.Random) -> list[bytes]:
    flipped = bytearray(data)
    for _ in range(20):
        flipped[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    cuts = [data[: len(data) * n // 16] for n in range(1, 16)]
    return [bytes(flipped), *cuts, data + bytes(chance.randbytes(4096)), data[:1], bytes(len(data))]


def answer_of(path: Path, data: bytes, filename: str) -> str:
    path.write_bytes(data)
    try:
        return settle(detect(path, filename), filename)
    except ConversionError as error:
        return error.code


@pytest.mark.requirement("B31")
@pytest.mark.parametrize(
    "text",
    [
        b"<" * 200_000,
        b"<!--" * 100_000,
        b"<![CDATA[" * 50_000,
        b"a" * 500_000,
        b'"' * 300_000,
        b"[" * 500_000,
        b"{" * 100_000 + b'"\\' * 100_000,
        b"From: a\n" * 100_000,
        b"1:" * 200_000,
        b" " * 500_000 + b"0\nSECTION",
        b"%PDF" * 100_000,
        b"PK\x03\x04" * 100_000,
        b"PK\x05\x06" + b"\xff" * 100_000,
        b"ID3\x03\x00\x00" + b"\x7f" * 100_000,
        b"\x00\x00\x00\x08moov" * 50_000,
        b"\x1f\x9d\x90" + b"\xff" * 100_000,
    ],
)
def test_no_text_makes_detection_slow(write: Write, text: bytes) -> None:
    def detected() -> None:
        for name in (None, "x.md", "x.xml", "x.srt", "x.json", "x.dxf", "x.eml"):
            detect(write("x", text), name)

    assert cpu_seconds(detected, enough=2 * SECONDS) < 2 * SECONDS


@pytest.mark.requirement("B31")
def test_a_directory_of_a_million_entries_is_not_read_to_its_end(write: Write) -> None:
    path = write("x.zip", b"")
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(20_000):
            archive.writestr(f"{number:06d}", b"")
    assert detect(path, "x.zip").format == "zip"
    assert cpu_seconds(lambda: detect(path, "x.zip"), enough=0.1) < 0.1


@pytest.mark.corpus
@pytest.mark.skipif("FILEWRIGHT_CORPUS" not in os.environ, reason="FILEWRIGHT_CORPUS names no corpus")
def test_files_of_the_world_are_of_their_true_type() -> None:
    root = Path(os.environ["FILEWRIGHT_CORPUS"])
    aliases = {"text/x-mediawiki": "mediawiki"}
    wrong = {}
    for entry in json.loads((root / "manifest.json").read_text())["files"]:
        if entry["expectation"] != "converts":
            continue
        path = root / entry["path"]
        found = settle(detect(path, path.name), path.name)
        media_types = {*FORMATS[found].media_types, *_more_general(found)}
        if entry["media_type"] not in media_types and aliases.get(entry["media_type"]) != found:
            wrong[entry["path"]] = (entry["media_type"], found)
    assert wrong == {}


def _more_general(format_id: str) -> tuple[str, ...]:
    general = {"topojson": "json", "geojson": "json", "shp.zip": "zip", "geoparquet": "parquet"}.get(format_id)
    return FORMATS[general].media_types if general else ()
