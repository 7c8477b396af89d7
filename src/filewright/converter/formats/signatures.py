"""Formats that a few bytes at a fixed place prove, and some that a small header check proves."""

from __future__ import annotations

import struct
from collections.abc import Callable

from filewright.converter.formats.sample import Detection, Sample

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "jpg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00", "tiff"),
    (b"MM\x00+", "tiff"),
    (b"icns", "icns"),
    (b"\xff\x4f\xff\x51", "jp2"),
    (b"\xff\x0a", "jxl"),
    (b"8BPS\x00", "psd"),
    (b"\x76\x2f\x31\x01", "exr"),
    (b"#?RADIANCE", "hdr"),
    (b"#?RGBE", "hdr"),
    (b"DDS ", "dds"),
    (b"qoif", "qoi"),
    (b"\xd7\xcd\xc6\x9a", "wmf"),
    (b"\xc5\xd0\xd3\xc6", "eps"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"PAR1", "parquet"),
    (b"ARROW1", "arrow"),
    (b"FEA1", "arrow"),
    (b"Obj\x01", "avro"),
    (b"$FL2", "sav"),
    (b"$FL3", "sav"),
    (b"<stata_dta>", "dta"),
    (bytes(12) + b"\xc2\xea\x81\x60\xb3\x14\x11\xcf\xbd\x92\x08\x00\x09\xc7\x31\x8c\x18\x1f\x10\x11", "sas7bdat"),
    (b"wOFF", "woff"),
    (b"wOF2", "woff2"),
    (b"OTTO", "otf"),
    (b"true", "ttf"),
    (b"{\\rtf", "rtf"),
    (b"\x78\x9f\x3e\x22", "tnef"),
    (b"\xffWPC", "wpd"),
    (b"glTF", "glb"),
    (b"ply\n", "ply"),
    (b"ply\r\n", "ply"),
    (b"fgb\x03fgb", "fgb"),
    (b"AutoCAD Binary DXF", "dxf"),
)
_PROGRAMS = (b"MZ", b"\x7fELF", b"\xfe\xed\xfa", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"\x00asm")
_PDF_WITHIN = 1024


def recognise(sample: Sample, hint: str | None) -> Detection | None:
    """The first entry that fits; a program (EXE, ELF) is of no format, whatever hangs behind it."""
    head = sample.head
    for magic, format_id in _STARTS:
        if head.startswith(magic):
            return _refined(sample, format_id, hint)
    if head.startswith(b"%!PS"):
        return Detection("eps" if b"EPSF" in head[:40] else "ps")
    if head.startswith(b"SQLite format 3\x00"):
        return Detection("gpkg" if _is_geopackage(head, hint) else "sqlite")
    for check, format_id in _CHECKS:
        if check(head, sample.size, hint):
            return Detection(format_id)
    return None


def early_pdf(sample: Sample, _: str | None) -> Detection | None:
    """A PDF that begins at the first byte, whatever is glued to its end."""
    return Detection("pdf") if sample.head.startswith(b"%PDF-") else None


def late_pdf(sample: Sample, _: str | None) -> Detection | None:
    """A PDF whose header comes a little late, as its specification allows. Asked after all that begin at byte 0."""
    at = sample.head.find(b"%PDF-", 0, _PDF_WITHIN)
    return Detection("pdf") if at >= 0 else None


def program(sample: Sample, _: str | None) -> Detection | None:
    """Executables: known, and never taken for the archive or document that may be glued to them."""
    if sample.head.startswith(_PROGRAMS):
        return Detection(None, note="a program")
    return None


def _refined(sample: Sample, format_id: str, hint: str | None) -> Detection:
    if format_id == "parquet" and (hint == "geoparquet" or b'"geo"' in sample.tail or b"\x18\x03geo" in sample.tail):
        return Detection("geoparquet")
    return Detection(format_id)


def _is_geopackage(head: bytes, hint: str | None) -> bool:
    return head[68:72] in {b"GPKG", b"GP10", b"GP11"} or (hint == "gpkg" and b"gpkg_contents" in head)


def _is_bmp(head: bytes, size: int, _: str | None) -> bool:
    return head[:2] == b"BM" and len(head) >= 26 and head[14] in {12, 40, 52, 56, 64, 108, 124} and not any(head[15:18])


def _is_icon(head: bytes, size: int, _: str | None) -> bool:
    if head[:4] not in {b"\x00\x00\x01\x00", b"\x00\x00\x02\x00"} or len(head) < 22:
        return False
    count = head[4] | head[5] << 8
    length, offset = struct.unpack_from("<II", head, 14)
    return 0 < count < 1024 and head[9] == 0 and offset >= 6 + 16 * count and length > 0


def _is_pnm(head: bytes, size: int, _: str | None) -> bool:
    return head[:1] == b"P" and head[1:2] in b"123456" and head[2:3] in b" \t\r\n#" and len(head) > 3


def _is_pcx(head: bytes, size: int, _: str | None) -> bool:
    return (
        len(head) >= 128 and head[0] == 10 and head[1] in {0, 2, 3, 4, 5} and head[2] <= 1 and head[3] in {1, 2, 4, 8}
    )


def _is_emf(head: bytes, size: int, _: str | None) -> bool:
    return head[:4] == b"\x01\x00\x00\x00" and head[40:44] == b" EMF"


def _is_plain_wmf(head: bytes, size: int, _: str | None) -> bool:
    return head[:4] in {b"\x01\x00\x09\x00", b"\x02\x00\x09\x00"} and head[4:6] in {b"\x00\x03", b"\x00\x01"}


def _is_mobi(head: bytes, size: int, _: str | None) -> bool:
    return head[60:68] in {b"BOOKMOBI", b"TEXtREAd"} and not _is_kf8(head, size, _)


def _is_kf8(head: bytes, size: int, _: str | None) -> bool:
    if head[60:68] != b"BOOKMOBI" or len(head) < 82:
        return False
    (record,) = struct.unpack_from(">I", head, 78)
    return head[record + 16 : record + 20] == b"MOBI" and head[record + 36 : record + 40] == b"\x00\x00\x00\x08"


def _is_truetype(head: bytes, size: int, _: str | None) -> bool:
    tables = head[4] << 8 | head[5] if len(head) > 28 else 0
    return head[:4] == b"\x00\x01\x00\x00" and 0 < tables < 256 and all(0x20 <= byte < 0x7F for byte in head[12:16])


def _is_stata(head: bytes, size: int, _: str | None) -> bool:
    return len(head) > 109 and 0x69 <= head[0] <= 0x73 and head[1] in {1, 2} and head[2] == 1 and head[3] == 0


def _is_dbase(head: bytes, size: int, hint: str | None) -> bool:
    if len(head) < 33 or head[0] not in {0x02, 0x03, 0x30, 0x31, 0x32, 0x43, 0x83, 0x8B, 0xCB, 0xF5, 0xFB}:
        return False
    records, header, record = struct.unpack_from("<IHH", head, 4)
    dated = 1 <= head[2] <= 12 and 1 <= head[3] <= 31
    fits = header >= 33 and record > 0 and header + records * record <= size + 1
    return (dated or hint == "dbf") and fits and 13 in head[min(header, len(head)) - 2 : header]


def _is_ebu_stl(head: bytes, size: int, _: str | None) -> bool:
    return head[3:6] == b"STL" and head[8:11] in {b".01", b".02"} and head[:3].isdigit()


def _is_binary_stl(head: bytes, size: int, hint: str | None) -> bool:
    """No signature, only a count of triangles; a file whose name says so may also be longer or shorter than that."""
    if len(head) < 134:
        return False
    fits = size == 84 + 50 * struct.unpack_from("<I", head, 80)[0]
    return fits or (hint in {"stl", "ebu-stl"} and b"\x00" in head[:512])


def _is_tga(head: bytes, size: int, hint: str | None) -> bool:
    if hint != "tga" or len(head) < 18:
        return False
    width, height = struct.unpack_from("<HH", head, 12)
    return head[1] <= 1 and head[2] in {1, 2, 3, 9, 10, 11} and head[16] in {8, 15, 16, 24, 32} and width * height > 0


_CHECKS: tuple[tuple[Callable[[bytes, int, str | None], bool], str], ...] = (
    (_is_bmp, "bmp"),
    (_is_icon, "ico"),
    (_is_pnm, "ppm"),
    (_is_emf, "emf"),
    (_is_plain_wmf, "wmf"),
    (_is_kf8, "azw3"),
    (_is_mobi, "mobi"),
    (_is_truetype, "ttf"),
    (_is_ebu_stl, "ebu-stl"),
    (_is_binary_stl, "stl"),
    (_is_stata, "dta"),
    (_is_dbase, "dbf"),
    (_is_pcx, "pcx"),
    (_is_tga, "tga"),
)
