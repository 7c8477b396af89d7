"""Real sound and film from many programs: what is true of the source is true of the product."""

import json
import subprocess

import pytest

from filewright.converter.engines.ffmpeg import FFmpeg
from filewright.converter.errors import CorruptInput
from filewright.converter.formats.detection import detect

pytestmark = [pytest.mark.engine("ffmpeg"), pytest.mark.corpus]


def ffprobe(path):
    command = ["ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", str(path)]
    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return {stream["codec_type"]: stream for stream in reversed(told["streams"])}, float(told["format"]["duration"])


def entries(corpus, family, expectation):
    manifest = json.loads((corpus / "manifest.json").read_text())
    found = [entry for entry in manifest["files"] if (entry["family"], entry["expectation"]) == (family, expectation)]
    assert found
    return found


def target_for(source, *wanted):
    return next(target for target in wanted if target != source)


@pytest.mark.parametrize("family", ["audio", "video"])
async def test_real_files_keep_their_length_rate_channels_and_size(convert, corpus, family):
    for entry in entries(corpus, family, "converts"):
        path, facts = corpus / entry["path"], entry["facts"]
        source = detect(path, path.name).format
        for wanted in (("flac", "wav"), ("m4a", "mka")) if family == "audio" else (("mp4", "mkv"), ("webm", "mov")):
            [product] = await convert(FFmpeg(), path, source, target_for(source, *wanted))
            streams, seconds = ffprobe(product)
            assert seconds == pytest.approx(facts["duration_s"], abs=max(0.15, 0.02 * facts["duration_s"])), path.name
            if "video" in facts:
                size = (streams["video"]["width"], streams["video"]["height"])
                assert size == (facts["video"]["width"], facts["video"]["height"]), path.name
            if "audio" in facts:
                assert streams["audio"]["channels"] == facts["audio"]["channels"], path.name
                rate = 48000 if streams["audio"]["codec_name"] == "opus" else facts["audio"]["sample_rate"]
                assert int(streams["audio"]["sample_rate"]) == rate, path.name


@pytest.mark.parametrize("family", ["audio", "video"])
async def test_real_damaged_files_are_refused(convert, corpus, family):
    for entry in entries(corpus, family, "must-reject"):
        path = corpus / entry["path"]
        source = path.suffix[1:]
        for target in ("flac", "mp3") if family == "audio" else ("mkv", "webm"):
            if target != source:
                with pytest.raises(CorruptInput):
                    await convert(FFmpeg(), path, source, target)
