from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
import struct
from pathlib import Path

import openpyxl
import polars as pl
import pytest

from filewright.chassis.sandbox.port import Limits
from filewright.converter.engines.inside.tables import workbook
from filewright.converter.engines.inside.tables.table import table
from filewright.converter.engines.tables import POLARS
from filewright.converter.errors import (
    ConversionError,
    CorruptInput,
    LimitError,
    PasswordRequired,
    ResourceLimit,
    UnsupportedConversion,
)

TRICKY = 'name,note,code\n"Doe, ""J""","two\nlines",007\nÅsa,,010\n'


def rows_of(path: Path, delimiter: str = ",") -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter=delimiter))


async def test_csv_keeps_every_value_as_it_is_written(convert):
    [product] = await convert(POLARS, TRICKY.encode(), "csv", "tsv")
    assert rows_of(product, "\t") == [["name", "note", "code"], ['Doe, "J"', "two\nlines", "007"], ["Åsa", "", "010"]]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
async def test_csv_is_read_in_the_encoding_it_has(convert, encoding):
    [product] = await convert(POLARS, "größe,naïve\n1,é\n".encode(encoding), "csv", "json")
    assert json.loads(product.read_bytes()) == [{"größe": 1, "naïve": "é"}]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
async def test_the_delimiter_of_a_csv_is_found(convert, delimiter):
    text = delimiter.join("abc") + "\n" + delimiter.join("123") + "\n" + delimiter.join("456") + "\n"
    [product] = await convert(POLARS, text.encode(), "csv", "json")
    assert json.loads(product.read_bytes()) == [{"a": 1, "b": 2, "c": 3}, {"a": 4, "b": 5, "c": 6}]


async def test_types_are_found_only_where_nothing_is_lost(convert):
    text = (
        "zip,version,price,day,flag,big\n"
        "007,1.9,1.50,2020-01-31,true,1\n"
        "010,1.10,2.25,2021-02-28,false,99999999999999999999\n"
    )
    [product] = await convert(POLARS, text.encode(), "csv", "parquet")
    frame = pl.read_parquet(product)
    assert frame.schema == {
        "zip": pl.String,
        "version": pl.String,
        "price": pl.Float64,
        "day": pl.Date,
        "flag": pl.Boolean,
        "big": pl.String,
    }
    assert frame["zip"].to_list() == ["007", "010"]


async def test_a_type_is_decided_by_every_row_and_not_by_the_first_ones(convert):
    text = "n\n" + "1\n" * 5000 + "x\n"
    [product] = await convert(POLARS, text.encode(), "csv", "parquet")
    assert pl.read_parquet(product)["n"].to_list()[-2:] == ["1", "x"]


async def test_rows_of_unequal_length_lose_no_value(convert):
    [product] = await convert(POLARS, b"a,b\n1\n1,2,3\n", "csv", "json")
    assert json.loads(product.read_bytes()) == [
        {"a": 1, "b": None, "column_3": None},
        {"a": 1, "b": 2, "column_3": 3},
    ]


async def test_repeated_and_empty_titles_stay_in_a_text_target(convert):
    [product] = await convert(POLARS, b"a,a,\n1,2,3\n", "csv", "tsv")
    assert rows_of(product, "\t") == [["a", "a", ""], ["1", "2", "3"]]


@pytest.mark.requirement("B32")
async def test_a_formula_in_a_csv_is_only_text_in_a_workbook(convert):
    [product] = await convert(POLARS, b"a,b\n=1+1,@SUM(A1)\n-2+3,+cmd|' /C calc'!A0\n", "csv", "xlsx")
    sheet = openpyxl.load_workbook(product).active
    cells = [cell for row in sheet.iter_rows(min_row=2) for cell in row]
    assert [cell.value for cell in cells] == ["=1+1", "@SUM(A1)", "-2+3", "+cmd|' /C calc'!A0"]
    assert {cell.data_type for cell in cells} == {"s"}


async def test_a_workbook_gets_numbers_and_dates_where_the_text_has_them(convert):
    [product] = await convert(POLARS, b"n,d,t\n1.5,2020-01-31,007\n2.5,2021-02-28,008\n", "csv", "xlsx")
    sheet = openpyxl.load_workbook(product).active
    values = [cell.value for cell in sheet[2]]
    assert (values[0], str(values[1])[:10], values[2]) == (1.5, "2020-01-31", "007")


def test_more_rows_than_a_sheet_holds_go_on_in_the_next_sheet(tmp_path, monkeypatch):
    monkeypatch.setattr(workbook, "_MAX_ROWS", 101)
    workbook.write([table("n", pl.DataFrame({"n": range(250)}))], tmp_path / "x.xlsx")
    sheets = openpyxl.load_workbook(tmp_path / "x.xlsx")
    assert [(sheet.title, sheet.max_row) for sheet in sheets] == [("n", 101), ("n (2)", 101), ("n (3)", 51)]
    assert [sheet["A2"].value for sheet in sheets] == [0, 100, 200]


async def test_what_no_cell_can_hold_is_told_as_what_the_format_has_no_place_for(convert):
    row = f"place,shape\nhere,{'x' * 32_768}\n".encode()
    with pytest.raises(UnsupportedConversion):
        await convert(POLARS, row, "csv", "xlsx")


async def test_each_sheet_becomes_a_file_when_all_are_asked_for(convert):
    book = openpyxl.Workbook()
    book.active.append(["a"])
    book.active.append([1])
    book.create_sheet("two").append(["b"])
    products = await convert(POLARS, saved(book), "xlsx", "csv", {"sheet": "all"})
    assert [product.read_text() for product in products] == ["a\n1\n", "b\n"]


def shown_and_hidden() -> bytes:
    """A workbook of three sheets, one of them hidden, and a cell of two lines."""
    book = openpyxl.Workbook()
    book.active.title = "Fruit"
    book.active.append(["name", "sold"])
    book.active.append(["apple\nred", 12])
    book.create_sheet("Inner").append(["secret"])
    book["Inner"].sheet_state = "hidden"
    book.create_sheet("Vegetables").append(["leek", None, 7])
    return saved(book)


async def test_what_people_read_has_every_sheet_that_is_shown(convert):
    [text] = await convert(POLARS, shown_and_hidden(), "xlsx", "txt")
    assert text.read_text() == "Fruit\nname\tsold\napple red\t12\n\nVegetables\nleek\t\t7\n\n"
    for target in ("md", "html"):
        [product] = await convert(POLARS, shown_and_hidden(), "xlsx", target)
        words = re.findall(r"\w+", product.read_text())
        assert {"Fruit", "apple", "12", "Vegetables", "leek", "7"} <= set(words)
        assert "secret" not in words
        [one] = await convert(POLARS, shown_and_hidden(), "xlsx", target, {"sheet": "Vegetables"})
        assert "leek" in one.read_text()
        assert "apple" not in one.read_text()


async def test_one_sheet_becomes_lines_without_a_name(convert):
    [text] = await convert(POLARS, shown_and_hidden(), "xlsx", "txt", {"sheet": "1"})
    assert text.read_text() == "name\tsold\napple red\t12\n"


async def test_a_hidden_sheet_is_not_the_one_that_is_taken(convert):
    book = openpyxl.Workbook()
    book.active.append(["secret"])
    book.create_sheet("shown").append(["open"])
    book["Sheet"].sheet_state = "hidden"
    book.active = 1
    [product] = await convert(POLARS, saved(book), "xlsx", "csv")
    assert product.read_text() == "open\n"
    [named] = await convert(POLARS, saved(book), "xlsx", "csv", {"sheet": "Sheet"})
    assert named.read_text() == "secret\n"


async def test_a_column_of_mixed_kinds_in_a_workbook_keeps_every_value(convert):
    book = openpyxl.Workbook()
    for value in ("title", 1, "x", 2.5, True):
        book.active.append([value])
    [product] = await convert(POLARS, saved(book), "xlsx", "parquet")
    assert pl.read_parquet(product)["title"].to_list() == ["1", "x", "2.5", "true"]


async def test_a_database_of_two_tables_becomes_two_files_or_two_sheets(convert, tmp_path):
    database = sqlite3.connect(tmp_path / "x.db")
    database.executescript(
        "CREATE TABLE one (a INTEGER, b TEXT); INSERT INTO one VALUES (1, 'x'), (2, NULL);"
        "CREATE TABLE two (c BLOB); INSERT INTO two VALUES (x'00ff'), ('text');"
        "CREATE VIEW three AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n;"
    )
    database.close()
    products = await convert(POLARS, tmp_path / "x.db", "sqlite", "csv")
    assert [product.read_text() for product in products] == ["a,b\n1,x\n2,\n", "c\nAP8=\ntext\n"]
    [book] = await convert(POLARS, tmp_path / "x.db", "sqlite", "xlsx")
    assert openpyxl.load_workbook(book).sheetnames == ["one", "two"]


async def test_a_table_goes_through_every_format_and_back_unchanged(convert):
    text = "id,name,ratio\n1,Åsa,0.5\n2,Bo,1.25\n"
    for middle in ("tsv", "parquet", "arrow", "avro", "ndjson", "json", "sqlite", "xlsx"):
        [there] = await convert(POLARS, text.encode(), "csv", middle)
        [back] = await convert(POLARS, there, middle, "csv")
        assert back.read_text() == text, middle


async def test_nested_records_are_spread_over_columns(convert):
    source = b'[{"id": 1, "at": {"city": "Oslo", "xy": [1, 2]}}, {"id": 2, "at": {"city": "Rome", "xy": []}}]'
    [product] = await convert(POLARS, source, "json", "csv")
    assert rows_of(product) == [["id", "at.city", "at.xy"], ["1", "Oslo", "[1,2]"], ["2", "Rome", "[]"]]


async def test_a_dbase_table_is_read_in_its_code_page_without_deleted_records(convert):
    [product] = await convert(POLARS, dbase("NAME", ["Grün", None, "Åsa"], code_page=0x03), "dbf", "csv")
    assert product.read_text() == "NAME\nGrün\nÅsa\n"


async def test_a_page_escapes_what_a_cell_holds(convert):
    [page] = await convert(POLARS, b"a\n<script>alert(1)</script>\n", "csv", "html")
    assert "<script>" not in page.read_text()
    assert "&lt;script&gt;" in page.read_text()


@pytest.mark.requirement("B31")
@pytest.mark.parametrize(
    ("source", "source_format"),
    [
        (b'a,b\n1,"never closed\n2,3\n', "csv"),
        (b"\x00\x01\x02\x03,\x05\n", "csv"),
        (b'{"a": 1', "ndjson"),
        (b"[" * 100_000, "json"),
        (b"PAR1" + b"\0" * 60 + b"PAR1", "parquet"),
        (b"ARROW1\0\0" + b"\xff" * 60, "arrow"),
        (b"Obj\x01" + b"\xff" * 60, "avro"),
        (b"SQLite format 3\0" + b"\xff" * 600, "sqlite"),
        (b"\x03\x7a\x01\x01" + struct.pack("<IHH", 1000, 65, 50) + b"\0" * 60, "dbf"),
        (b"PK\x03\x04" + b"\0" * 60, "xlsx"),
        (b"$FL2" + b"\0" * 200, "sav"),
    ],
)
async def test_a_damaged_file_is_called_damaged(convert, source, source_format):
    with pytest.raises(CorruptInput):
        await convert(POLARS, source, source_format, "tsv")


async def test_an_encrypted_workbook_asks_for_its_password(convert, corpus):
    with pytest.raises(PasswordRequired):
        await convert(POLARS, corpus / "sheets/password.xlsx", "xlsx", "csv")


async def test_a_geopackage_taken_for_a_database_shows_only_its_own_tables(convert, tmp_path):
    database = sqlite3.connect(tmp_path / "x.gpkg")
    database.executescript(
        "CREATE TABLE gpkg_contents (table_name TEXT); INSERT INTO gpkg_contents VALUES ('roads');"
        "CREATE TABLE gpkg_extensions (x); CREATE TABLE roads (name TEXT); INSERT INTO roads VALUES ('E6');"
    )
    database.close()
    [product] = await convert(POLARS, tmp_path / "x.gpkg", "sqlite", "csv")
    assert product.read_text() == "name\nE6\n"


async def test_a_column_of_a_logical_type_not_known_yet_is_read_as_what_it_is_made_of(convert):
    file = io.BytesIO()
    pl.DataFrame({"id": [1, 2], "name": ["a", "b"]}).write_parquet(file)
    text, geometry = b"\x25\x00\x4c\x1c\x00\x00\x00", b"\x25\x00\x4c\x0c\x22\x00\x00\x00"
    body, length = file.getvalue()[:-8], struct.unpack("<I", file.getvalue()[-8:-4])[0]
    assert text in body
    source = body.replace(text, geometry) + struct.pack("<I", length + 1) + b"PAR1"
    with pytest.raises(pl.exceptions.ComputeError):
        pl.read_parquet(source)
    [product] = await convert(POLARS, source, "parquet", "csv")
    assert product.read_text() == "id,name\n1,a\n2,b\n"


@pytest.mark.requirement("B31")
async def test_a_parquet_file_that_claims_more_rows_than_it_has_is_called_damaged(convert):
    file = io.BytesIO()
    pl.DataFrame({"id": [1, 2]}).write_parquet(file)
    start = len(file.getvalue()) - 8 - struct.unpack("<I", file.getvalue()[-8:-4])[0]
    footer = file.getvalue()[start:-8].replace(b"\x16\x04", b"\x16\x84\x80\x80\x80\x80\x40")
    source = file.getvalue()[:start] + footer + struct.pack("<I", len(footer)) + b"PAR1"
    with pytest.raises((CorruptInput, ResourceLimit)):
        await convert(POLARS, source, "parquet", "csv")


@pytest.mark.parametrize("source", [b"," * 100_000 + b"\n", b"a" * 1000 + b"," * 70_000])
async def test_a_table_of_absurd_width_is_refused(convert, source):
    with pytest.raises(ResourceLimit):
        await convert(POLARS, source, "csv", "json")


async def test_a_line_of_many_megabytes_ends_in_an_answer(convert):
    source = b"a,b\n" + b"x" * (40 << 20) + b",1\n"
    [product] = await convert(POLARS, source, "csv", "tsv", limits=Limits(wall_seconds=60))
    assert product.stat().st_size == len(source)


@pytest.mark.requirement("B31")
@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "source_format"),
    [
        ("data/alltypes-plain.parquet", "parquet"),
        ("data/columnar.sas7bdat", "sas7bdat"),
        ("data/sqlite3.db", "sqlite"),
        ("data/gb18030.dbf", "dbf"),
        ("sheets/chinese-provinces.xls", "xls"),
    ],
)
async def test_a_truncated_file_ends_in_a_typed_error_or_a_table(convert, corpus, name, source_format):
    whole = (corpus / name).read_bytes()
    for part in (1, 5, 9, 13):
        try:
            products = await convert(POLARS, whole[: len(whole) * part // 16], source_format, "csv")
            assert products[0].stat().st_size
        except (CorruptInput, LimitError):
            pass
        except ConversionError as error:
            pytest.fail(f"{part}/16 of {name}: {error.code}")


@pytest.mark.corpus
async def test_the_facts_of_the_corpus_hold(convert, corpus_facts):
    for path, source_format, facts in corpus_facts(
        "data", {".csv": "csv", ".parquet": "parquet", ".sas7bdat": "sas7bdat", ".dbf": "dbf"}
    ):
        [product] = await convert(POLARS, path, source_format, "ndjson")
        records = [json.loads(line) for line in product.read_text().splitlines()]
        assert len(records) == facts.get("rows", facts.get("records_with_header", 0) - 1), path
        assert list(records[0]) == facts.get("columns" if "rows" in facts else "header"), path


@pytest.mark.corpus
async def test_the_facts_of_the_corpus_hold_for_workbooks(convert, corpus_facts):
    for path, source_format, facts in corpus_facts("sheets", {".xlsx": "xlsx", ".xls": "xls", ".xlsm": "xlsm"}):
        cell = facts.get("cell")
        if cell is None or facts.get("hidden_sheets"):
            continue
        [product] = await convert(POLARS, path, source_format, "csv")
        wanted = str(cell.get("value", cell.get("date")))
        row, column = int(cell["ref"][1:]) - 1, ord(cell["ref"][0]) - ord("A")
        assert rows_of(product)[row][column] == wanted, path


def saved(book: openpyxl.Workbook) -> bytes:
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def dbase(name: str, values: list[str | None], code_page: int) -> bytes:
    """A table of one text field; None is a deleted record."""
    header = struct.pack("<B3BIHH16xBB2x", 3, 122, 1, 1, len(values), 65, 21, 0, code_page)
    field = struct.pack("<11sc4xBB14x", name.encode(), b"C", 20, 0) + b"\r"
    records = b"".join(
        (b"*" if value is None else b" ") + (value or "gone").encode("cp1252").ljust(20) for value in values
    )
    return header + field + records + b"\x1a"


async def test_columns_of_a_workbook_are_as_wide_as_what_they_hold(convert):
    table = b"a,a rather long heading,b\n1,2,short\n1,2,a longer text than that\n"
    [book] = await convert(POLARS, table, "csv", "xlsx")
    columns = openpyxl.load_workbook(book).active.column_dimensions
    assert columns["B"].width > len("a rather long heading")
    assert columns["C"].width > len("a longer text than that")
    assert columns["A"].width < 10


async def test_a_record_without_fields_is_kept_in_a_parquet_as_json(convert):
    [product] = await convert(POLARS, b'[{"a": 1, "m": {"in": {}, "n": 2}, "l": [{}]}]', "json", "parquet")
    assert pl.read_parquet(product).to_dicts() == [{"a": 1, "m": '{"in":{},"n":2}', "l": "[{}]"}]


async def test_nothing_at_all_becomes_an_empty_page_and_no_table_without_columns(convert):
    [page] = await convert(POLARS, b"{}", "json", "html")
    [text] = await convert(POLARS, b"{}", "json", "md")
    assert "<table" not in page.read_text(encoding="utf-8")
    assert "|" not in text.read_text(encoding="utf-8")


async def test_what_a_target_has_no_place_for_is_told_as_that_and_not_as_a_missing_way(convert):
    with pytest.raises(UnsupportedConversion, match="What is in this file has no place in that format"):
        await convert(POLARS, b"{}", "json", "parquet")
