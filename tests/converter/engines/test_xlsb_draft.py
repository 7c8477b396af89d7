"""Binary workbooks of a pre-release of Excel 2007 are brought to the published form; others are left alone."""

import struct
import zipfile

import pytest

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.engines.inside.xlsb_draft import publish

BEGIN, SHEET, END = b"\x83\x01", b"\x9c\x01", b"\x84\x01"


def text(value):
    return struct.pack("<I", len(value)) + value.encode("utf-16-le")


def a_workbook(*, draft, name="Übersicht"):
    state_and_id = struct.pack("<III", 0, 0, 7) if draft else struct.pack("<II", 0, 7)
    sheet = state_and_id + text("rId1") + text(name)
    length = bytes([len(sheet)]) if len(sheet) < 128 else bytes([len(sheet) & 0x7F | 0x80, len(sheet) >> 7])
    return BEGIN + b"\0" + SHEET + length + sheet + END + b"\0"


def saved(folder, workbook):
    path = folder / "input.xlsb"
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("other.bin", b"left alone")
        package.writestr("xl/workbook.bin", workbook)
    return path


@pytest.mark.parametrize("name", ["S", "n" * 50, "n" * 53, "n" * 54, "n" * 200])
def test_a_draft_is_made_into_the_published_form(tmp_path, name):
    made = tmp_path / "made.xlsb"
    source = saved(tmp_path, a_workbook(draft=True, name=name))
    assert publish(str(source), str(made), report=lambda _: None)
    with zipfile.ZipFile(made) as package:
        assert package.read("xl/workbook.bin") == a_workbook(draft=False, name=name)
        assert package.read("other.bin") == b"left alone"


def test_a_published_workbook_is_left_alone(tmp_path):
    made = tmp_path / "made.xlsb"
    assert not publish(str(saved(tmp_path, a_workbook(draft=False))), str(made), report=lambda _: None)
    assert not made.exists()


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04" + bytes(99)])
def test_what_is_no_package_is_refused(tmp_path, content):
    source = tmp_path / "input.xlsb"
    source.write_bytes(content)
    with pytest.raises(Refusal, match="corrupt_input"):
        publish(str(source), str(tmp_path / "made.xlsb"), report=lambda _: None)


def test_records_that_are_cut_off_are_refused_or_left_alone(tmp_path):
    whole = a_workbook(draft=True)
    for length in range(len(whole)):
        source = saved(tmp_path, whole[:length])
        try:
            publish(str(source), str(tmp_path / "made.xlsb"), report=lambda _: None)
        except Refusal as refusal:
            assert refusal.code == "corrupt_input"
