"""What lies hidden in a PDF is handed to the scanner as well."""

import tarfile
import zlib

import pytest

from filewright.converter.conversion import revealing
from filewright.converter.conversion.revealing import revealed
from filewright.converter.errors import NotScannable
from scankit.dressed import pdf


def members(path, folder):
    found = []
    for archive in revealed(path, folder):
        with tarfile.open(archive) as packed:
            found.append([packed.extractfile(member).read() for member in packed])
    return found


@pytest.fixture
def file(tmp_path):
    def make(content):
        path = tmp_path / "file"
        path.write_bytes(content)
        return path

    return make


@pytest.mark.requirement("S17", "B30")
def test_an_attachment_that_is_compressed_is_brought_to_light(file, tmp_path):
    secret = b"what nobody was meant to see" * 3
    assert members(file(pdf(secret)), tmp_path) == [[secret]]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("ending", [b"stream\n", b"stream\r\n", b"stream\r", b"stream \n"])
def test_a_stream_is_found_however_its_line_ends(file, tmp_path, ending):
    content = b"%PDF-1.7\n1 0 obj <<>> " + ending + zlib.compress(b"x" * 100) + b"\nendstream"
    assert members(file(content), tmp_path) == [[b"x" * 100]]


def test_a_stream_that_breaks_off_shows_what_it_holds_until_there(file, tmp_path):
    packed = zlib.compress(bytes(range(256)) * 1000, 0)
    ((found,),) = members(file(b"%PDF-1.7 stream\n" + packed[:1000]), tmp_path)
    assert (bytes(range(256)) * 4).startswith(found)
    assert len(found) > 900


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04", b"", b"%PDF-1.4 nothing", b"%PDF stream\n\x00\x01", b"%PDF stream\n"]
)
def test_most_files_hide_nothing(file, tmp_path, content):
    assert members(file(content), tmp_path) == []


def test_many_streams_come_in_portions(file, tmp_path, monkeypatch):
    monkeypatch.setattr(revealing, "MEMBERS_AT_ONCE", 3)
    streams = [bytes([n]) * 20 for n in range(8)]
    content = b"%PDF-1.7\n" + b"\n".join(b"stream\n" + zlib.compress(stream) for stream in streams)
    assert members(file(content), tmp_path) == [streams[:3], streams[3:6], streams[6:]]


@pytest.mark.requirement("B27")
def test_a_bomb_is_not_unpacked(file, tmp_path, monkeypatch):
    monkeypatch.setattr(revealing, "MAX_BYTES", 100_000)
    content = b"%PDF-1.7\nstream\n" + zlib.compress(bytes(10_000_000))
    with pytest.raises(NotScannable):
        members(file(content), tmp_path)
