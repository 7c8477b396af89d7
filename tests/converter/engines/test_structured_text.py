from __future__ import annotations

import csv
import json
import tomllib
from xml.etree import ElementTree

import pytest
import yaml

from filewright.converter.engines.structured_text import STRUCTURED_TEXT
from filewright.converter.errors import ArchiveBomb, ConversionError, CorruptInput, LimitError


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
async def test_json_is_read_in_every_encoding_that_it_may_have(convert, encoding):
    [product] = await convert(STRUCTURED_TEXT, '{"größe": "é"}'.encode(encoding), "json", "yaml")
    assert yaml.safe_load(product.read_text(encoding="utf-8")) == {"größe": "é"}


async def test_digits_of_large_integers_are_kept(convert):
    [product] = await convert(STRUCTURED_TEXT, b'{"n": 123456789012345678901234567890}', "json", "yaml")
    assert yaml.safe_load(product.read_text())["n"] == 123456789012345678901234567890


async def test_yaml_is_read_by_the_core_schema(convert):
    source = b"country: no\nstart: 12:30\nday: 2020-01-31\ncode: 010\non: off\n"
    [product] = await convert(STRUCTURED_TEXT, source, "yaml", "json")
    assert json.loads(product.read_bytes()) == {
        "country": "no",
        "start": "12:30",
        "day": "2020-01-31",
        "code": 10,
        "on": "off",
    }


async def test_words_that_other_readers_take_for_booleans_are_quoted_in_yaml(convert):
    [product] = await convert(STRUCTURED_TEXT, b'{"country": "no", "at": "12:30", "v": "1.10"}', "json", "yaml")
    assert yaml.safe_load(product.read_text()) == {"country": "no", "at": "12:30", "v": "1.10"}


async def test_anchors_are_written_out_and_documents_become_a_list(convert):
    [product] = await convert(STRUCTURED_TEXT, b"a: &x [1]\nb: *x\n---\nc: 2\n", "yaml", "json")
    assert json.loads(product.read_bytes()) == [{"a": [1], "b": [1]}, {"c": 2}]


async def test_toml_and_json_hold_the_same(convert):
    source = b'title = "x"\n[owner]\nborn = 1979-05-27T07:32:00Z\nports = [1, 2]\n'
    [there] = await convert(STRUCTURED_TEXT, source, "toml", "json")
    assert json.loads(there.read_bytes())["owner"] == {"born": "1979-05-27T07:32:00+00:00", "ports": [1, 2]}
    [back] = await convert(STRUCTURED_TEXT, there, "json", "toml")
    assert tomllib.loads(back.read_text())["owner"]["ports"] == [1, 2]


async def test_xml_becomes_json_and_comes_back_as_the_same_xml(convert):
    source = b'<shop open="yes"><item id="1">a</item><item id="2">b</item><empty/></shop>'
    [there] = await convert(STRUCTURED_TEXT, source, "xml", "json")
    [back] = await convert(STRUCTURED_TEXT, there, "json", "xml")
    assert ElementTree.canonicalize(back.read_text()) == ElementTree.canonicalize(source.decode())


async def test_lines_of_json_become_a_list_and_come_back(convert):
    source = b'{"a": 1, "b": {"c": [1, "x"]}}\n{"a": null}\n'
    [there] = await convert(STRUCTURED_TEXT, source, "ndjson", "json")
    assert json.loads(there.read_bytes()) == [{"a": 1, "b": {"c": [1, "x"]}}, {"a": None}]
    [back] = await convert(STRUCTURED_TEXT, there, "json", "ndjson")
    assert back.read_bytes() == source


async def test_a_calendar_becomes_a_row_for_each_event(convert):
    source = (
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n"
        b"BEGIN:VEVENT\r\nSUMMARY:Lunch\\, with\r\n  Bob\r\nDTSTART;TZID=Europe/Oslo:20261122T120000\r\nEND:VEVENT\r\n"
        b"BEGIN:VEVENT\r\nSUMMARY:Day off\r\nDTSTART;VALUE=DATE:20261224\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    [product] = await convert(STRUCTURED_TEXT, source, "ics", "csv")
    rows = list(csv.DictReader(product.read_text().splitlines()))
    assert [(row["summary"], row["dtstart"]) for row in rows] == [
        ("Lunch, with Bob", "2026-11-22T12:00:00"),
        ("Day off", "2026-12-24"),
    ]


async def test_a_contact_of_any_version_becomes_json(convert):
    source = (
        b"BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=utf-8;ENCODING=QUOTED-PRINTABLE:D=C3=B6e;Jane;;;\r\n"
        b"TEL;HOME;VOICE:+47 1\r\nEND:VCARD\r\n"
        b"BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Bo\r\nitem1.EMAIL;TYPE=work:bo@x.example\r\nEND:VCARD\r\n"
    )
    [product] = await convert(STRUCTURED_TEXT, source, "vcf", "json")
    first, second = json.loads(product.read_bytes())
    assert (first["n"], first["tel_home"], second["email_work"]) == ("Döe Jane", "+47 1", "bo@x.example")


@pytest.mark.requirement("B31")
@pytest.mark.parametrize(
    ("source", "source_format"),
    [
        (b"[" * 100_000, "json"),
        (b"[" * 1_000_000 + b"]" * 1_000_000, "json"),
        (b'{"a": 1', "json"),
        (b"1" * 1_000_000, "json"),
        (b"[" * 100_000 + b"]" * 100_000, "yaml"),
        (b"a: [1, 2", "yaml"),
        (b"&a [*a]", "yaml"),
        (b'!!python/object/apply:os.system ["touch pwned"]', "yaml"),
        (b"a = ", "toml"),
        (b"<a><b></a>", "xml"),
        (b"<a>" * 100_000 + b"</a>" * 100_000, "xml"),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "xml"),
        (b"BEGIN:VCARD\nFN:x\n", "vcf"),
        (b"nothing of a calendar", "ics"),
    ],
)
async def test_what_is_damaged_or_hostile_is_refused(convert, source, source_format):
    target = "json" if source_format != "json" else "yaml"
    with pytest.raises(CorruptInput):
        await convert(STRUCTURED_TEXT, source, source_format, target)


async def test_a_bomb_of_aliases_is_refused_before_it_goes_off(convert):
    levels = [b"a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for above, below in zip(b"bcdefghij", b"abcdefghi", strict=True):
        levels.append(b"%c: &%c [%s]" % (above, above, b", ".join([b"*%c" % below] * 10)))
    with pytest.raises(ArchiveBomb):
        await convert(STRUCTURED_TEXT, b"\n".join(levels), "yaml", "json")


@pytest.mark.parametrize("source", [b"a" + b".a" * 100_000 + b" = 1", b"[a" + b".a" * 100_000 + b"]"])
async def test_a_key_of_absurd_depth_is_refused(convert, source):
    with pytest.raises(LimitError):
        await convert(STRUCTURED_TEXT, source, "toml", "json")


@pytest.mark.corpus
async def test_the_facts_of_the_corpus_hold(convert, corpus_facts):
    checked = 0
    for path, source_format, facts in corpus_facts("data", {".json": "json", ".yaml": "yaml"}):
        [product] = await convert(STRUCTURED_TEXT, path, source_format, "yaml" if source_format == "json" else "json")
        value = yaml.load(product.read_text(encoding="utf-8"), yaml.CSafeLoader)
        assert type(value).__name__ == facts.get("top", "dict"), path
        assert len(value) == facts.get("length", facts.get("keys")), path
        checked += 1
    assert checked == 4


@pytest.mark.corpus
async def test_a_truncated_file_ends_in_a_typed_error_or_a_value(convert, corpus):
    whole = (corpus / "data/translations-ja.yaml").read_bytes()
    for cut in range(1, len(whole), len(whole) // 8):
        try:
            await convert(STRUCTURED_TEXT, whole[:cut], "yaml", "json")
        except CorruptInput:
            pass
        except ConversionError as error:
            pytest.fail(error.code)
