"""Sound and moving pictures by ffmpeg, which is a separate program (GPL), held in the sandbox.

This module says what one conversion takes: look what is in the file, refuse what is too much, convert, and compare
what came out with what the file promised. What the program reads and writes stands in `ffmpeg_formats`, what it is
told in `ffmpeg_recipe`, how it is started and judged in `ffmpeg_program`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from filewright.converter.engines import ffmpeg_program as program
from filewright.converter.engines.ffmpeg_formats import ANIMATIONS, READERS, conversions
from filewright.converter.engines.ffmpeg_recipe import Recipe
from filewright.converter.engines.ffmpeg_sheet import Sheet, read_sheet
from filewright.converter.engines.port import Availability, Conversion, Work
from filewright.converter.errors import (
    ConversionError,
    CorruptInput,
    ImageTooLarge,
    ResourceLimit,
    UnsupportedConversion,
)

_LONGEST_SECONDS = 48 * 3600
_LONGEST_ANIMATION_SECONDS = 300
_HARDEST = ("-compression_level", "12")
_FLAC_BITS, _FLAC_CHANNELS = 24, 8
_ENOUGH = 0.9
"""Of the promised length. Less was cut off; a little less is how some recorders count."""
_SLACK_SECONDS = 0.1
_HELD_BACK = 3
"""Pictures that an encoder puts in another order: so many may follow the last time that the program tells."""


class FFmpeg:
    """The `ffmpeg` engine."""

    name = "ffmpeg"
    conversions: Sequence[Conversion] = conversions()

    def check(self) -> Availability:
        return program.check()

    async def convert(self, work: Work) -> Sequence[Path]:
        demuxer, sheet = await _look(work)
        recipe = Recipe(sheet, work.conversion.source, work.conversion.target, work.options)
        _refuse_too_much(work, recipe)
        _refuse_nothing_to_convert(recipe)
        if recipe.copies_picture or recipe.copies_sound:
            try:
                return [await _write(work, recipe, demuxer, may_copy=True)]
            except (CorruptInput, UnsupportedConversion, ResourceLimit):
                raise
            except ConversionError:
                work.target.unlink(missing_ok=True)  # some streams can not be moved as they are: code them again
        return [await _write(work, recipe, demuxer, may_copy=False)]

    async def frame(self, work: Work) -> Path:
        """One picture of a film, as PNG in `tmp/`: at `options.at`, or where a film usually shows what it is."""
        demuxer, sheet = await _look(work)
        options = {"at": _worth_seeing(sheet), **work.options}
        recipe = Recipe(sheet, work.conversion.source, "png", options)
        _refuse_too_much(work, recipe)
        _refuse_nothing_to_convert(recipe)
        written = await _write(work, recipe, demuxer, may_copy=False)
        return written.rename(work.workspace / "tmp" / "frame.png")

    async def smaller(self, work: Work, *, kbps_per_channel: int | None = None) -> Path:
        """The same format, coded again as the options say; a size asked for is the most, never more than there is.

        `kbps_per_channel` settles the bit rate of the sound where no option does.
        """
        demuxer, sheet = await _look(work)
        recipe = Recipe(
            sheet, work.conversion.source, work.conversion.target, _not_more(sheet, work.options, kbps_per_channel)
        )
        _refuse_too_much(work, recipe)
        _refuse_nothing_to_convert(recipe)
        return await _write(work, recipe, demuxer, may_copy=False)

    async def packed(self, work: Work) -> Path:
        """Sound in as few bytes as FLAC can, every sample as it was. Raises UnsupportedConversion where FLAC has no
        room for the samples.
        """
        demuxer, sheet = await _look(work)
        recipe = Recipe(sheet, work.conversion.source, work.conversion.target, {}, more=_HARDEST)
        _refuse_too_much(work, recipe)
        _refuse_nothing_to_convert(recipe)
        sound = recipe.sound
        if (
            sound is None
            or not sound.is_lossless
            or sound.is_float
            or sound.bits > _FLAC_BITS
            or sound.channels > _FLAC_CHANNELS
        ):
            raise UnsupportedConversion(
                f"Nothing can be kept as it is here: FLAC has at most {_FLAC_BITS} bits a sample, no fractions, and "
                f"{_FLAC_CHANNELS} channels."
            )
        return await _write(work, recipe, demuxer, may_copy=False)

    async def bare(self, work: Work) -> Path:
        """The streams as they are coded, in a new file of the same format, without titles, chapters and covers."""
        demuxer, sheet = await _look(work)
        recipe = Recipe(sheet, work.conversion.source, work.conversion.target, {})
        _refuse_too_much(work, recipe)
        outcome = await program.run(
            work,
            *program.reading(work, demuxer),
            *("-map", "0:V?", "-map", "0:a?", "-map", "0:s?", "-c", "copy", "-fflags", "+bitexact"),
            *("-map_metadata", "-1", "-map_metadata:s", "-1", "-map_chapters", "-1"),
            *recipe.writer.arguments,
            *("-f", _muxer_for_all(recipe), f"file:{work.inside(work.target)}"),
        )
        program.check_ending(outcome, work.max_pixels)
        if not work.target.is_file() or work.target.stat().st_size == 0:
            raise CorruptInput
        return work.target

    async def frames(self, work: Work, *, every: float, most: int) -> Sequence[Path]:
        """Pictures of a film, one for each so many seconds from `options.start` on, and no more than `most`."""
        demuxer, sheet = await _look(work)
        recipe = Recipe(sheet, work.conversion.source, work.conversion.target, work.options)
        _refuse_too_much(work, recipe)
        _refuse_nothing_to_convert(recipe)
        start = float(work.options.get("start") or 0)
        ending = work.conversion.target
        outcome = await program.run(
            work,
            *(("-ss", f"{start:.3f}") if start else ()),
            *program.reading(work, demuxer),
            *("-map", "0:V:0", "-filter_threads", "1", "-vf", f"fps=1/{every:.6f}:round=up", "-frames:v", str(most)),
            *recipe.one_after_the_other(),
            f"file:{work.inside(work.out)}/output-%05d.{ending}",
        )
        program.check_ending(outcome, work.max_pixels)
        found = sorted(work.out.glob(f"output-*.{ending}"))
        if not found:
            raise UnsupportedConversion(f"There are no pictures after {start:g} seconds.")
        return found


def _muxer_for_all(recipe: Recipe) -> str:
    """Apple's own kind of MP4 takes few codecs; what came in with another one was of the common kind."""
    held = recipe.sound is None or recipe.sound.codec in recipe.writer.copied
    return recipe.writer.muxer if held or recipe.target != "m4a" else "mp4"


def _not_more(sheet: Sheet, options: Mapping[str, Any], kbps_per_channel: int | None) -> Mapping[str, Any]:
    settings = dict(options)
    if sheet.picture is not None:
        sides = {"width": sheet.picture.width, "height": sheet.picture.height}
        settings |= {name: min(settings[name], side) for name, side in sides.items() if settings.get(name) and side}
    if sheet.sound is not None and kbps_per_channel and not settings.get("bitrate_kbps"):
        settings["bitrate_kbps"] = max(8, kbps_per_channel * min(sheet.sound.channels, 2))
    return settings


def _worth_seeing(sheet: Sheet) -> float:
    """Not the very first picture, which is black so often, and none past the end of a short film."""
    return round(min(10.0, 0.1 * (sheet.seconds or 0.0)), 3)


async def _look(work: Work) -> tuple[str, Sheet]:
    """The demuxer that opens the file, and what it found."""
    untrusted_summary = ""
    for demuxer in READERS[work.conversion.source]:
        # Without an output it prints what it found and ends with a complaint that there is nothing to do.
        outcome = await program.run(work, *program.reading(work, demuxer), level="info")
        untrusted_summary = outcome.untrusted_stderr.decode(errors="replace")
        sheet = read_sheet(untrusted_summary)
        if sheet is not None and (sheet.picture or sheet.sound):
            return demuxer, sheet
    error = program.failure(untrusted_summary, work.max_pixels)
    if isinstance(error, ImageTooLarge):
        raise error
    raise CorruptInput("The file is damaged or incomplete: no sound and no pictures can be found in it.")


def _refuse_too_much(work: Work, recipe: Recipe) -> None:
    picture = recipe.sheet.picture
    if picture is not None and picture.pixels > work.max_pixels:
        raise ImageTooLarge(
            f"The film has {picture.width:,} × {picture.height:,} pixels; {work.max_pixels:,} pixels are allowed."
        )
    seconds = recipe.seconds or 0.0
    if seconds > _LONGEST_SECONDS:
        raise ResourceLimit(f"The file says that it lasts {seconds:,.0f} seconds; {_LONGEST_SECONDS:,} are allowed.")
    if recipe.target in ANIMATIONS and seconds > _LONGEST_ANIMATION_SECONDS:
        raise ResourceLimit(
            f"An animation of {seconds:,.0f} seconds would be huge; {_LONGEST_ANIMATION_SECONDS} are allowed. "
            "Choose a part with `options.start` and `options.duration`."
        )


def _refuse_nothing_to_convert(recipe: Recipe) -> None:
    if recipe.picture is None and recipe.sound is None:
        lacking = "sound" if recipe.writer.picture is None or recipe.options.get("mute") else "pictures"
        raise UnsupportedConversion(f"The file has no {lacking}, so it can not become {recipe.target}.")
    if recipe.sound is not None and not recipe.sound.is_sane:
        raise CorruptInput("The file is damaged: it says nothing sensible about its sound.")
    if recipe.seconds == 0 and recipe.start > 0:
        raise _starts_too_late(recipe)


async def _write(work: Work, recipe: Recipe, demuxer: str, *, may_copy: bool) -> Path:
    """Run the program once over the file, telling how far it is."""
    palette = await _palette(work, recipe, demuxer) if recipe.wants_palette else None
    progress = _Progress(work, recipe.seconds)
    outcome = await program.run(
        work,
        *("-progress", "pipe:1", "-stats_period", "0.5"),
        *recipe.before_input(),
        *program.reading(work, demuxer),
        *(program.reading(work, "png_pipe", palette) if palette is not None else ()),
        *recipe.after_input(may_copy=may_copy),
        f"file:{work.inside(work.target)}",
        on_line=progress.read,
    )
    program.check_ending(outcome, work.max_pixels)
    _check_length(work, recipe, _length(recipe, progress))
    return work.target


async def _palette(work: Work, recipe: Recipe, demuxer: str) -> Path:
    """A picture of the colours that suit the whole film. Held to one run, the film would have to wait in memory."""
    path = work.workspace / "tmp" / "palette.png"
    source = (*recipe.before_input(), *program.reading(work, demuxer))
    outcome = await program.run(work, *source, *recipe.palette_arguments(), f"file:{work.inside(path)}")
    program.check_ending(outcome, work.max_pixels)
    if not path.is_file():
        raise _starts_too_late(recipe) if recipe.start > 0 else CorruptInput
    return path


def _length(recipe: Recipe, progress: _Progress) -> float:
    """Seconds that were written. The last time told is when the last picture in order of coding begins: in a film of
    few pictures a second those after it are a good part of the whole, so they are counted.
    """
    fps = recipe.sheet.picture.fps if recipe.picture is not None and recipe.sheet.picture is not None else None
    if not fps:
        return progress.seconds
    return max(progress.seconds, min(progress.frames / fps, progress.seconds + _HELD_BACK / fps))


def _check_length(work: Work, recipe: Recipe, seconds: float) -> None:
    """Believe no exit code: a file that was cut off is converted up to the cut without a complaint."""
    if not work.target.is_file() or work.target.stat().st_size == 0 or (seconds <= 0 and not recipe.is_still):
        raise _starts_too_late(recipe) if recipe.start > 0 else CorruptInput
    if recipe.is_still or recipe.seconds is None or recipe.sheet.is_guess or not _takes_everything(recipe):
        return
    if seconds < _ENOUGH * recipe.seconds - _SLACK_SECONDS:
        raise CorruptInput("The file is damaged or incomplete: it is shorter than it says.")


def _takes_everything(recipe: Recipe) -> bool:
    """Only then is the promised length that of what was converted."""
    return not recipe.sheet.has_more and recipe.picture == recipe.sheet.picture and recipe.sound == recipe.sheet.sound


def _starts_too_late(recipe: Recipe) -> UnsupportedConversion:
    option = "at" if recipe.is_still else "start"
    return UnsupportedConversion(f"There is nothing at {recipe.start:g} seconds: `options.{option}` is past the end.")


class _Progress:
    """Reads `-progress`: `out_time_us` is how much of the product is written, in microseconds; `frame` counts."""

    def __init__(self, work: Work, expected_seconds: float | None) -> None:
        self._work = work
        self._expected = expected_seconds
        self.seconds = 0.0
        """Of the product, as far as it was told."""
        self.frames = 0

    def read(self, untrusted_line: bytes) -> None:
        """Take one line."""
        name, _, value = untrusted_line.strip().partition(b"=")
        if not value.isdigit():
            return
        if name == b"frame":
            self.frames = int(value[:18])
        if name != b"out_time_us":
            return
        self.seconds = max(self.seconds, int(value[:18]) / 1e6)
        if self._expected:
            self._work.on_progress(min(1.0, self.seconds / self._expected))
