"""Sound and film that want more than to be converted: nothing is fetched, no other file is read, no limit is passed.

Two layers are proven apart: the engine in its sandbox as it is used in earnest, and the engine's arguments alone,
without a sandbox, beside a stock command line that does take the bait.
"""

import asyncio
import secrets
import struct
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import pytest_asyncio

from filewright.chassis.sandbox.port import Limits
from filewright.converter.engines import ffmpeg_program
from filewright.converter.engines.ffmpeg import FFmpeg
from filewright.converter.engines.ffmpeg_sheet import read_sheet
from filewright.converter.errors import ConversionError, CorruptInput, ImageTooLarge, InputError, ResourceLimit

pytestmark = [pytest.mark.engine("ffmpeg"), pytest.mark.requirement("B18", "B19", "B20")]

PROGRAM = str(ffmpeg_program.program())


@pytest_asyncio.fixture(loop_scope="session")
async def listener():
    """A server on loopback that notes everything it is asked; `listener.url` leads to it."""
    noted = SimpleNamespace(hits=[], url="")

    async def note(reader, writer):
        noted.hits.append(await reader.read(200))
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(note, "127.0.0.1", 0)
    noted.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield noted
    server.close()
    await server.wait_closed()


@pytest.fixture
def canary(tmp_path):
    """A file that no conversion may read, with a text that nobody can guess."""
    path = tmp_path / "canary.txt"
    path.write_text(secrets.token_hex(16))
    return path


def playlists(url, canary):
    """Text that a media player would take for a list of other files to play."""
    segments = "".join(f"#EXTINF:1,\n{target}\n" for target in (f"{url}/a.ts", f"file://{canary}", f"{canary}"))
    yield "HLS", f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{segments}#EXT-X-ENDLIST\n"
    joined = f"concat:{url}/header|subfile,,start,0,end,64,,:{canary}"
    yield "HLS of joined parts", f"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:10.0,\n{joined}\n#EXT-X-ENDLIST\n"
    yield "HLS of itself", "#EXTM3U\n#EXTINF:1,\ninput.mp4\n#EXT-X-ENDLIST\n"
    yield "ffconcat", f"ffconcat version 1.0\nfile '{url}/a.mp4'\nfile '{canary}'\n"
    yield (
        "DASH",
        f"""<?xml version="1.0"?>
        <MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT9S"><Period>
        <AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>{url}/v.mp4</BaseURL>
        </Representation></AdaptationSet></Period></MPD>""",
    )
    yield "SDP", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n"


@pytest.mark.parametrize(
    ("source", "target"),
    [("mp4", "mkv"), ("avi", "mp4"), ("mp3", "wav"), ("ts", "mp4"), ("mkv", "webm"), ("mpg", "mp3")],
)
async def test_a_playlist_is_never_played_whatever_it_is_called(convert, listener, canary, source, target):
    for name, content in playlists(listener.url, canary):
        try:
            products = await convert(FFmpeg(), content.encode(), source, target)
        except InputError:
            continue
        for product in products:
            assert canary.read_bytes() not in product.read_bytes(), name
    assert listener.hits == []


async def test_the_arguments_alone_keep_the_program_at_the_one_file(listener, canary, tmp_path):
    work = SimpleNamespace(source=tmp_path / "input.mp4", inside=str, max_pixels=1 << 20)

    async def attempt(*arguments):
        process = await asyncio.create_subprocess_exec(
            PROGRAM, "-nostdin", "-v", "error", "-y", *arguments, "-f", "null", "-", stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(20):
            await process.communicate()

    for _, content in playlists(listener.url, canary):
        work.source.write_text(content)
        for demuxer in ("mov", "mp3", "mpegts", "matroska", "avi", "mpeg"):
            await attempt(*ffmpeg_program.reading(work, demuxer))
    assert listener.hits == []

    work.source.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{listener.url}/a.ts\n#EXT-X-ENDLIST\n")
    await attempt("-protocol_whitelist", "file,http,tcp", "-extension_picky", "0", "-f", "hls", "-i", work.source)
    assert listener.hits, "the bait works on a program that is not held back"


def box(kind, *parts, size=None):
    payload = b"".join(parts)
    return struct.pack(">I4s", 8 + len(payload) if size is None else size, kind) + payload


def film_with(stts):
    """An MP4 of one track whose table of times is this."""
    full = bytes(4)
    media = box(
        b"minf",
        box(b"stbl", box(b"stsd", full, struct.pack(">I", 0)), stts),
    )
    mdhd = box(b"mdhd", full, struct.pack(">IIIIHH", 0, 0, 1000, 1000, 0, 0))
    handler = box(b"hdlr", full, bytes(4), b"vide", bytes(13))
    return box(b"ftyp", b"isom\x00\x00\x02\x00isom") + box(b"moov", box(b"trak", box(b"mdia", mdhd, handler, media)))


def wave_header(data_size):
    return b"RIFF\xff\xff\xff\xffWAVEfmt " + struct.pack(
        "<IHHIIHH4sI", 16, 1, 1, 8000, 16000, 2, 16, b"data", data_size
    )


def absurdities():
    yield "a table of a billion times", "mp4", film_with(box(b"stts", bytes(4), struct.pack(">I", 10**9)))
    huge = struct.pack(">I4sQ", 1, b"moov", 1 << 63)
    yield "a box of 2^63 bytes", "mp4", box(b"ftyp", b"isom\x00\x00\x02\x00isom") + huge
    yield "boxes in boxes in boxes", "mp4", box(b"ftyp", b"isom\x00\x00\x02\x00isom") + nested_boxes(4000)
    head = b"\x1aE\xdf\xa3\x8bB\x82\x88matroska"
    yield (
        "elements in elements",
        "mkv",
        head + b"\x18S\x80g\x01\xff\xff\xff\xff\xff\xff\xff" + b"\x114\x9bt\xff" * 10_000,
    )
    yield "20000 × 20000 pixels", "y4m", b"YUV4MPEG2 W20000 H20000 F25:1 C420jpeg\nFRAME\n" + bytes(1000)
    yield "no pixels", "y4m", b"YUV4MPEG2 W0 H0 F25:1 C420jpeg\nFRAME\n" + bytes(1000)
    yield "no data", "wav", wave_header(0xFFFFFFFF)
    yield "no channels", "wav", wave_header(0xFFFFFFFF)[:22] + b"\x00\x00" + wave_header(0xFFFFFFFF)[24:] + bytes(800)


def nested_boxes(depth):
    inner = b""
    for _ in range(depth):
        inner = box(b"moov", inner)
    return inner


async def test_absurd_files_are_refused_at_once(convert):
    for name, source, content in absurdities():
        began = time.monotonic()
        with pytest.raises((CorruptInput, ImageTooLarge, ResourceLimit)):
            await convert(FFmpeg(), content, source, "flac" if source == "wav" else "webm")
        assert time.monotonic() - began < 10, name


async def test_too_many_pixels_are_told_as_that(convert, tmp_path):
    frame = b"YUV4MPEG2 W320 H200 F25:1 C420jpeg\nFRAME\n" + bytes(320 * 200 * 3 // 2)
    with pytest.raises(ImageTooLarge):
        await convert(FFmpeg(), frame, "y4m", "mp4", max_pixels=320 * 200 - 1)
    [product] = await convert(FFmpeg(), frame, "y4m", "mp4", max_pixels=320 * 200)
    assert product.stat().st_size > 0


async def test_a_sound_whose_length_is_not_known_is_converted_to_its_end(convert):
    [product] = await convert(FFmpeg(), wave_header(0xFFFFFFFF) + bytes(range(256)) * 125, "wav", "flac")
    told = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(product)],
        capture_output=True,
        check=True,
    )
    assert float(told.stdout) == pytest.approx(2.0, abs=0.01)


async def test_a_million_pictures_a_second_are_not_multiplied(convert):
    frames = b"FRAME\n" + bytes(16 * 16 * 3 // 2)
    film = b"YUV4MPEG2 W16 H16 F1000000:1 C420jpeg\n" + frames * 50
    for target in ("mp4", "avi", "mpg", "gif"):
        [product] = await convert(FFmpeg(), film, "y4m", target)
        assert product.stat().st_size < 100_000


async def test_a_film_of_centuries_is_refused_before_it_is_converted(convert, tmp_path):
    film = tmp_path / "film.mkv"
    slow = ("-f", "lavfi", "-i", "color=s=16x16:r=1:d=3", "-vf", "setpts=N*4000000/TB", "-fps_mode", "passthrough")
    subprocess.run([PROGRAM, "-v", "error", *slow, "-c:v", "mjpeg", str(film)], check=True)
    for target in ("avi", "mp4", "gif"):
        with pytest.raises(ResourceLimit, match="seconds"):
            await convert(FFmpeg(), film, "mkv", target)


async def test_a_title_that_looks_like_the_program_speaking_changes_nothing(convert, tmp_path):
    song = tmp_path / "song.mp3"
    lies = (
        "x",
        "  Stream #0:5: Video: h264, yuv420p, 99999x99999, 25 fps\r",
        "  Duration: 99:99:99.00, start: 0",
        "EOF",
    )
    title = "\n".join(lies)
    tone = ("-f", "lavfi", "-i", "sine=d=0.5", "-metadata", f"title={title}")
    subprocess.run([PROGRAM, "-v", "error", *tone, str(song)], check=True)
    [product] = await convert(FFmpeg(), song, "mp3", "flac")
    assert product.stat().st_size > 1000


def test_a_summary_without_an_opened_file_is_no_sheet():
    assert read_sheet("  Stream #0:0: Video: h264, yuv420p, 10x10, 25 fps\n") is None
    sheet = read_sheet("Input #0, mov, from 'x':\n  Duration: N/A, bitrate: N/A\n  Stream #0:0: Video: none, none\n")
    assert sheet is not None
    assert (sheet.picture, sheet.sound, sheet.seconds) == (None, None, None)


async def test_a_file_with_wrong_bytes_here_and_there_ends_in_a_product_or_a_typed_error(convert, tmp_path):
    import random

    chance = random.Random(7)
    for source, target in (("mp4", "webm"), ("mkv", "mp4"), ("mp3", "wav"), ("flac", "mp3"), ("avi", "mp4")):
        path = tmp_path / f"whole.{source}"
        scene = ("-f", "lavfi", "-i", "testsrc2=s=64x48:d=1") if source in {"mp4", "mkv", "avi"} else ()
        tone = ("-f", "lavfi", "-i", "sine=d=1")
        subprocess.run([PROGRAM, "-v", "error", *scene, *tone, str(path)], check=True)
        for _ in range(2):
            content = bytearray(path.read_bytes())
            for at in chance.sample(range(len(content)), 20):
                content[at] = chance.randrange(256)
            try:
                products = await convert(FFmpeg(), bytes(content), source, target, limits=Limits(wall_seconds=20))
            except ConversionError:
                continue
            assert all(product.stat().st_size > 0 for product in products)


def test_nothing_of_the_wheel_is_imported_to_find_its_program():
    code = (
        "import sys; from filewright.converter.engines.ffmpeg import FFmpeg; FFmpeg().check(); "
        "assert 'imageio_ffmpeg' not in sys.modules"
    )
    import sys

    subprocess.run([sys.executable, "-c", code], check=True)
    assert Path(PROGRAM).is_file()
