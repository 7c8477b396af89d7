"""Sound and film through ffmpeg. Sources are made here; products are read by ffprobe, mediainfo and Pillow."""

import json
import math
import struct
import subprocess
import wave

import pytest
from PIL import Image

from filewright.converter.engines.ffmpeg import FFmpeg
from filewright.converter.engines.ffmpeg_formats import ANIMATIONS, FILMS, READERS, SOUNDS, STILLS, WRITERS
from filewright.converter.engines.ffmpeg_program import program
from filewright.converter.errors import CorruptInput, ResourceLimit, UnsupportedConversion
from filewright.converter.formats.catalogue import FORMATS
from filewright.converter.formats.detection import detect

pytestmark = pytest.mark.engine("ffmpeg")

TONE = ("-f", "lavfi", "-i", "sine=f=440:r=44100:d=1", "-ac", "2")
SCENE = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=1", "-f", "lavfi", "-i", "sine=f=440:r=44100:d=1", "-ac", "2")
MODERN = ("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac")
CODECS = {
    "mp3": "mp3", "wav": "pcm_s16le", "flac": "flac", "m4a": "aac", "aac": "aac", "ogg": "vorbis", "opus": "opus",
    "aiff": "pcm_s16be", "amr": "amr_nb", "wma": "wmav2", "ac3": "ac3", "au": "pcm_s16be", "caf": "pcm_s16le",
    "wv": "wavpack", "mka": "flac",
}  # fmt: skip
FILM_CODECS = {
    "mp4": ("h264", "aac"), "mkv": ("h264", "aac"), "mov": ("h264", "aac"), "webm": ("vp9", "opus"),
    "avi": ("mpeg4", "mp3"), "wmv": ("wmv2", "wmav2"), "flv": ("h264", "aac"), "mpg": ("mpeg2video", "mp2"),
    "ts": ("h264", "aac"), "3gp": ("h264", "aac"), "3g2": ("h264", "aac"), "ogv": ("theora", "vorbis"),
}  # fmt: skip


def ffprobe(path):
    """Streams by kind, and the length, as Debian's ffprobe sees them."""
    command = ["ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", str(path)]
    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    streams = {stream["codec_type"]: stream for stream in reversed(told["streams"])}
    return streams, float(told["format"].get("duration", 0)), told["format"].get("tags", {})


def mediainfo(path, parameter):
    told = subprocess.run(["mediainfo", f"--Output={parameter}", str(path)], capture_output=True, check=True, text=True)
    return told.stdout.strip()


def milliseconds(animation):
    total = 0
    for number in range(animation.n_frames):
        animation.seek(number)
        animation.load()
        total += animation.info["duration"]
    return total


def make(path, *arguments):
    subprocess.run([str(program()), "-nostdin", "-v", "error", "-y", *arguments, str(path)], check=True)
    return path


def tone(rate=44100, channels=2, seconds=1.0):
    """A WAV file written by Python itself."""
    import io

    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        samples = (int(9000 * math.sin(n / 20)) for n in range(int(rate * seconds)))
        file.writeframes(b"".join(struct.pack("<h", sample) * channels for sample in samples))
    return buffer.getvalue()


@pytest.fixture(scope="session")
def scene(tmp_path_factory):
    """One second of film with sound, 64 × 48."""
    return make(tmp_path_factory.mktemp("scene") / "scene.mp4", *SCENE, *MODERN)


@pytest.fixture(scope="session")
def sources(tmp_path_factory, scene):
    """A file of every format that can be read and written, and of those that only other programs write."""
    folder = tmp_path_factory.mktemp("sources")
    made = {}
    for source in READERS:
        writer = WRITERS.get(source)
        path = folder / f"source.{FORMATS[source].extension}"
        if source == "y4m":
            made[source] = make(path, "-i", str(scene), "-pix_fmt", "yuv420p")
        elif source == "gif":
            made[source] = make(path, *SCENE[:4], "-vf", "fps=10")
        elif source != "ape":  # nothing but its author's program writes it
            kind = TONE if source in SOUNDS else SCENE
            rate = ("-ar", "8000", "-ac", "1") if source == "amr" else ()
            codecs = MODERN if source in {"mp4", "mov", "mkv", "3gp", "3g2"} else ()
            made[source] = make(path, *kind, *rate, *codecs, "-f", writer.muxer)
    return made


def test_the_engine_is_found_and_says_its_version():
    available = FFmpeg().check()
    assert available.available
    assert available.version


def test_every_pair_is_declared_once_and_reads_no_format_that_is_not_in_the_catalogue():
    pairs = [(conversion.source, conversion.target) for conversion in FFmpeg().conversions]
    assert len(pairs) == len(set(pairs)) > 500
    assert {format_id for pair in pairs for format_id in pair} <= set(FORMATS)


@pytest.mark.parametrize("target", [target for target in WRITERS if target in SOUNDS and target != "wav"])
@pytest.mark.sampled(3)
async def test_sound_becomes_every_other_kind_of_sound(convert, target):
    [product] = await convert(FFmpeg(), tone(), "wav", target)
    streams, seconds, _ = ffprobe(product)
    expected = {"mka": "pcm_s16le"}.get(target, CODECS[target])
    assert streams["audio"]["codec_name"] == expected
    assert int(streams["audio"]["sample_rate"]) == {"opus": 48000, "amr": 8000}.get(target, 44100)
    assert streams["audio"]["channels"] == (1 if target == "amr" else 2)
    assert seconds == pytest.approx(1.0, abs=0.15)
    assert detect(product, believed=target).format == target
    assert mediainfo(product, "General;%AudioCount%") == "1"


async def test_every_kind_of_sound_becomes_flac(convert, sources):
    for source in SOUNDS:
        if source in sources and source != "flac":
            [product] = await convert(FFmpeg(), sources[source], source, "flac")
            streams, seconds, _ = ffprobe(product)
            assert streams["audio"]["codec_name"] == "flac", source
            assert streams["audio"]["bits_per_raw_sample"] == "16", source
            assert seconds == pytest.approx(1.0, abs=0.15), source


async def test_a_sound_whose_first_frame_is_hardly_one_becomes_wavpack(convert, sources):
    [product] = await convert(FFmpeg(), sources["mp3"], "mp3", "wv")
    streams, seconds, _ = ffprobe(product)
    assert streams["audio"]["codec_name"] == "wavpack"
    assert seconds == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("target", FILM_CODECS)
@pytest.mark.sampled(3)
async def test_film_becomes_every_other_kind_of_film(convert, sources, target):
    source = "mkv" if target == "mp4" else "mp4"
    [product] = await convert(FFmpeg(), sources[source], source, target)
    streams, seconds, _ = ffprobe(product)
    assert (streams["video"]["codec_name"], streams["audio"]["codec_name"]) == FILM_CODECS[target]
    assert (streams["video"]["width"], streams["video"]["height"]) == (64, 48)
    assert seconds == pytest.approx(1.0, abs=0.15)
    assert detect(product, believed=target).format == target
    assert mediainfo(product, "General;%VideoCount% %AudioCount%") == "1 1"


async def test_every_kind_of_film_becomes_mkv_with_all_its_pictures(convert, sources):
    for source in (*FILMS, "gif"):
        target = "mp4" if source in {"mkv", "gif"} else "mkv"
        [product] = await convert(FFmpeg(), sources[source], source, target)
        streams, seconds, _ = ffprobe(product)
        assert (streams["video"]["width"], streams["video"]["height"]) == (64, 48), source
        assert seconds == pytest.approx(1.0, abs=0.15), source
        assert ("audio" in streams) == (source not in {"gif", "y4m"}), source


async def test_a_film_gives_its_sound(convert, sources):
    for source, target in (("webm", "mp3"), ("mp4", "opus"), ("mov", "m4a"), ("mpg", "ogg"), ("ts", "wav")):
        [product] = await convert(FFmpeg(), sources[source], source, target)
        streams, seconds, _ = ffprobe(product)
        assert set(streams) == {"audio"}
        assert streams["audio"]["codec_name"] == CODECS[target]
        assert seconds == pytest.approx(1.0, abs=0.15), (source, target)


@pytest.mark.parametrize("target", [*ANIMATIONS, *STILLS])
async def test_a_film_becomes_a_picture(convert, scene, target):
    [product] = await convert(FFmpeg(), scene, "mp4", target)
    with Image.open(product) as picture:
        assert picture.size == (64, 48)
        assert len(picture.convert("RGB").getcolors(1 << 16)) > 20
        if target in ANIMATIONS:
            assert picture.n_frames > 10
            assert milliseconds(picture) == pytest.approx(1000, abs=50)


async def test_a_still_shows_the_second_that_was_asked_for(convert, tmp_path):
    halves = "color=red:s=64x48:d=1[a];color=blue:s=64x48:d=1[b];[a][b]concat"
    film = make(tmp_path / "film.mkv", "-f", "lavfi", "-i", halves)
    for at, colour in ((0, "red"), (1.5, "blue")):
        [product] = await convert(FFmpeg(), film, "mkv", "png", {"at": at})
        with Image.open(product) as picture:
            red, _, blue = picture.convert("RGB").getpixel((32, 24))
        assert (red > blue) == (colour == "red")
    with pytest.raises(UnsupportedConversion, match="past the end"):
        await convert(FFmpeg(), film, "mkv", "png", {"at": 100})


async def test_a_film_changes_its_container_without_being_coded_again(convert, scene, tmp_path):
    def packets(path):
        command = [
            "ffprobe",
            "-v",
            "error",
            "-show_entries",
            "packet=codec_type,size",
            "-of",
            "csv=p=0:nk=1",
            str(path),
        ]
        return sorted(
            subprocess.run(command, capture_output=True, check=True, text=True).stdout.replace(",\n", "\n").split()
        )

    for target in ("mkv", "mov"):
        [product] = await convert(FFmpeg(), scene, "mp4", target)
        assert packets(product) == packets(scene)


async def test_options_of_a_film_are_obeyed(convert, scene):
    options = {"width": 32, "fps": 10, "start": 0.2, "duration": 0.5, "mute": True, "crf": 40}
    [product] = await convert(FFmpeg(), scene, "mp4", "mkv", options)
    streams, seconds, _ = ffprobe(product)
    assert set(streams) == {"video"}
    assert (streams["video"]["width"], streams["video"]["height"]) == (32, 24)
    assert streams["video"]["r_frame_rate"] == "10/1"
    assert seconds == pytest.approx(0.5, abs=0.11)


async def test_options_of_sound_are_obeyed(convert):
    options = {"bitrate_kbps": 64, "sample_rate": 22050, "channels": 1, "start": 0.5, "duration": 1}
    [product] = await convert(FFmpeg(), tone(seconds=3), "wav", "mp3", options)
    streams, seconds, _ = ffprobe(product)
    assert (streams["audio"]["sample_rate"], streams["audio"]["channels"]) == ("22050", 1)
    assert int(streams["audio"]["bit_rate"]) == 64_000
    assert seconds == pytest.approx(1.0, abs=0.15)


async def test_nothing_past_the_end_can_be_asked_for(convert, scene):
    with pytest.raises(UnsupportedConversion, match="past the end"):
        await convert(FFmpeg(), tone(), "wav", "mp3", {"start": 5})
    with pytest.raises(UnsupportedConversion, match="past the end"):
        await convert(FFmpeg(), scene, "mp4", "gif", {"start": 5})


async def test_an_odd_size_stays_where_it_can_and_grows_by_one_where_it_must(convert, tmp_path):
    film = make(tmp_path / "odd.mkv", "-f", "lavfi", "-i", "testsrc=s=63x47:d=0.4", "-c:v", "mpeg4")
    for target, size in (("webm", (63, 47)), ("avi", (63, 47)), ("ts", (64, 48))):
        [product] = await convert(FFmpeg(), film, "mkv", target)
        streams, _, _ = ffprobe(product)
        assert (streams["video"]["width"], streams["video"]["height"]) == size


async def test_titles_are_kept(convert, tmp_path):
    song = make(tmp_path / "song.mp3", *TONE, "-metadata", "title=Grüße", "-metadata", "artist=Nobody")
    for target in ("m4a", "flac", "mka", "wma", "aiff"):
        [product] = await convert(FFmpeg(), song, "mp3", target)
        tags = {name.lower(): value for name, value in ffprobe(product)[2].items()}
        assert (tags["title"], tags["artist"]) == ("Grüße", "Nobody"), target


async def test_the_cover_of_an_album_is_no_film(convert, tmp_path):
    cover = tmp_path / "cover.png"
    Image.new("RGB", (3000, 2000), "teal").save(cover)
    song = make(
        tmp_path / "song.m4a", "-i", str(cover), *TONE, "-map", "1:a", "-map", "0:v", "-c:v", "copy",
        "-disposition:v", "attached_pic", "-c:a", "aac",
    )  # fmt: skip
    for target in ("mp3", "wav", "opus"):
        [product] = await convert(FFmpeg(), song, "m4a", target)
        assert set(ffprobe(product)[0]) == {"audio"}


async def test_a_film_container_with_nothing_but_sound_is_still_converted(convert, tmp_path):
    memo = make(tmp_path / "memo.3g2", *TONE, "-c:a", "aac")
    for target in ("mp4", "m4a", "mp3", "mkv", "ogv"):
        [product] = await convert(FFmpeg(), memo, "3g2", target)
        streams, seconds, _ = ffprobe(product)
        assert set(streams) == {"audio"}
        assert seconds == pytest.approx(1.0, abs=0.15)
    with pytest.raises(UnsupportedConversion, match="no pictures"):
        await convert(FFmpeg(), memo, "3g2", "gif")


async def test_a_silent_film_has_no_sound_to_give(convert, sources):
    silent = make(sources["mp4"].with_name("silent.mkv"), *SCENE[:4])
    with pytest.raises(UnsupportedConversion, match="no sound"):
        await convert(FFmpeg(), silent, "mkv", "mp3")


@pytest.mark.parametrize("channels", [1, 8])
async def test_sound_around_the_listener_is_kept_or_mixed_down(convert, tmp_path, channels):
    for target, most in (("flac", 8), ("opus", 8), ("ogg", 8), ("m4a", 8), ("ac3", 6), ("mp3", 2), ("wma", 2)):
        [product] = await convert(FFmpeg(), tone(48000, channels, 0.3), "wav", target)
        assert ffprobe(product)[0]["audio"]["channels"] == min(channels, most), target


async def test_a_side_layout_is_no_obstacle(convert, tmp_path):
    around = make(tmp_path / "around.ac3", *TONE[:4], "-af", "aformat=channel_layouts=5.1(side)", "-ar", "48000")
    for target in ("opus", "ogg", "m4a", "flac"):
        [product] = await convert(FFmpeg(), around, "ac3", target)
        assert ffprobe(product)[0]["audio"]["channels"] == 6


@pytest.mark.parametrize("rate", [8000, 96000])
async def test_any_sample_rate_goes_into_any_format(convert, rate):
    for target in ("mp3", "m4a", "ogg", "opus", "wma", "ac3", "amr"):  # the others take any
        [product] = await convert(FFmpeg(), tone(rate, 1, 0.5), "wav", target)
        assert ffprobe(product)[1] == pytest.approx(0.5, abs=0.15), target


async def test_fine_samples_stay_fine(convert, tmp_path):
    for kind, expected in (("pcm_s24le", "24"), ("pcm_f32le", "24"), ("pcm_u8", "16")):
        source = make(tmp_path / f"{kind}.wav", *TONE, "-c:a", kind)
        [product] = await convert(FFmpeg(), source, "wav", "flac")
        assert ffprobe(product)[0]["audio"]["bits_per_raw_sample"] == expected
    for target, codec in (("aiff", "pcm_s24be"), ("caf", "pcm_s24le"), ("au", "pcm_s24be")):
        [product] = await convert(FFmpeg(), tmp_path / "pcm_s24le.wav", "wav", target)
        assert ffprobe(product)[0]["audio"]["codec_name"] == codec


async def test_progress_rises_to_the_end(convert, tmp_path):
    told = []
    film = make(tmp_path / "film.avi", "-f", "lavfi", "-i", "testsrc2=s=640x480:d=30", "-c:v", "mjpeg")
    await convert(FFmpeg(), film, "avi", "webm", on_progress=told.append)
    assert len(told) > 2
    assert told == sorted(told)
    assert 0 < told[0] < 0.9
    assert told[-1] == pytest.approx(1.0, abs=0.05)


async def test_a_file_that_was_cut_off_is_refused(convert, sources):
    for source, target in (
        ("mp4", "mkv"), ("mkv", "mp4"), ("webm", "mp4"), ("avi", "mp4"), ("flac", "wav"), ("aiff", "wav"),
    ):  # fmt: skip
        content = sources[source].read_bytes()
        with pytest.raises(CorruptInput):
            await convert(FFmpeg(), content[: len(content) // 2], source, target)


async def test_a_whole_film_of_five_pictures_is_not_taken_for_a_cut_one(convert, tmp_path):
    film = make(tmp_path / "five.gif", "-f", "lavfi", "-i", "testsrc2=s=64x48:r=14:d=0.357")
    for target in ("mp4", "webm"):
        [product] = await convert(FFmpeg(), film, "gif", target)
        assert ffprobe(product)[1] == pytest.approx(0.357, abs=0.1)


@pytest.mark.parametrize("source", READERS)
async def test_what_is_no_sound_and_no_film_is_refused(convert, source):
    target = next(conversion.target for conversion in FFmpeg().conversions if conversion.source == source)
    with pytest.raises(CorruptInput):
        await convert(FFmpeg(), bytes(4000), source, target)


async def test_a_very_long_animation_is_refused_with_a_hint(convert, tmp_path):
    film = make(tmp_path / "long.mkv", "-f", "lavfi", "-i", "color=s=16x16:r=1:d=400", "-c:v", "mpeg4")
    with pytest.raises(ResourceLimit, match=r"options\.duration"):
        await convert(FFmpeg(), film, "mkv", "gif")
    [product] = await convert(FFmpeg(), film, "mkv", "gif", {"duration": 2})
    with Image.open(product) as picture:
        assert picture.n_frames == 2
