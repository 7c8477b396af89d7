"""Scenarist captions: CEA-608 byte pairs in hexadecimal, each line at a time code.

Reads what pop-on, roll-up and paint-on captions say and when; where on the screen and in which colour is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.engines.inside.captions.cue import Cue

_LINE = re.compile(r"^(\d\d):(\d\d):(\d\d)([:;.])(\d\d)\s+((?:[0-9a-fA-F]{4}\s*)+)$")
_SIGNATURE = "scenarist_scc"
_RATE = 30 / 1.001
_LAST_MS = 4_000
"""How long the last caption stays when nothing clears it."""

_BASIC = {0x2A: "á", 0x5C: "é", 0x5E: "í", 0x5F: "ó", 0x60: "ú", 0x7B: "ç", 0x7C: "÷", 0x7D: "Ñ", 0x7E: "ñ", 0x7F: "█"}
_SPECIAL = "®°½¿™¢£♪à\u00a0èâêîôû"
_EXTENDED = {
    0x12: "ÁÉÓÚÜü‘¡*’—©℠•“”ÀÂÇÈÊËëÎÏïÔÙùÛ«»",
    0x13: "ÃãÍÌìÒòÕõ{}\\^_|~ÄäÖöß¥¤│ÅåØø┌┐└┘",
}
_RESUME_POP_ON, _BACKSPACE, _ERASE_SHOWN, _CARRIAGE_RETURN = 0x20, 0x21, 0x2C, 0x2D
_ERASE_HIDDEN, _SHOW, _PAINT_ON = 0x2E, 0x2F, 0x29
_ROLL_UP = frozenset({0x25, 0x26, 0x27})


def read(text: str) -> list[Cue]:
    """All captions in order. Refuses a file without the signature or without a caption."""
    if not text.lstrip("\ufeff \r\n").lower().startswith(_SIGNATURE):
        raise Refusal("corrupt_input")
    screen = _Screen()
    for at, first, second in _pairs(text):
        screen.take(at, first, second)
    return screen.finish()


def _pairs(text: str) -> Iterator[tuple[int, int, int]]:
    """Each byte pair with its time; a control pair that is sent twice counts once."""
    for line in text.splitlines()[1:]:
        found = _LINE.match(line.strip())
        if found is None:
            if line.strip():
                raise Refusal("corrupt_input")
            continue
        hours, minutes, seconds, mark, frames, words = found.groups()
        at = _milliseconds(int(hours), int(minutes), int(seconds), int(frames), drop=mark != ":")
        before = None
        for number, word in enumerate(words.split()):
            first, second = (byte & 0x7F for byte in bytes.fromhex(word))
            if 0x10 <= first <= 0x1F and before == (first, second):
                before = None
                continue
            before = (first, second)
            yield at + round(number * 1000 / _RATE), first, second


def _milliseconds(hours: int, minutes: int, seconds: int, frames: int, *, drop: bool) -> int:
    whole = (hours * 60 + minutes) * 60 + seconds
    if drop:
        return round((whole + frames / 30) * 1000)
    return round((whole * 30 + frames) / _RATE * 1000)


class _Screen:
    """Two buffers, of which one is shown, as a decoder in a television has them."""

    def __init__(self) -> None:
        self._hidden = ""
        self._shown = ""
        self._since = 0
        self._writes_hidden = True
        self._rolls = False
        self._cues: list[Cue] = []
        self._now = 0

    def take(self, at: int, first: int, second: int) -> None:
        self._now = at
        if first in {0x14, 0x15, 0x1C, 0x1D} and 0x20 <= second <= 0x2F:
            self._command(second)
        elif 0x10 <= first <= 0x1F and second >= 0x40:
            self._new_row()
        elif first in {0x11, 0x19} and 0x30 <= second <= 0x3F:
            self._write(_SPECIAL[second - 0x30])
        elif first & 0x17 in {0x12, 0x13} and 0x20 <= second <= 0x3F:
            self._back()  # an extended character stands after a plain one for old decoders
            self._write(_EXTENDED[first & 0x17][second - 0x20])
        elif first in {0x11, 0x19} and 0x20 <= second <= 0x2F:
            self._write(" ")  # a change of style takes a place
        elif first >= 0x20:
            self._write("".join(_BASIC.get(code, chr(code)) for code in (first, second) if code >= 0x20))

    def finish(self) -> list[Cue]:
        self._clear(self._since + _LAST_MS)
        if not self._cues:
            raise Refusal("corrupt_input")
        return self._cues

    def _command(self, code: int) -> None:
        if code == _RESUME_POP_ON:
            self._writes_hidden, self._rolls = True, False
        elif code in _ROLL_UP or code == _PAINT_ON:
            self._writes_hidden, self._rolls = False, code in _ROLL_UP
        elif code == _SHOW:
            self._clear(self._now)
            self._shown, self._hidden, self._since = self._hidden, "", self._now
        elif code == _ERASE_SHOWN:
            self._clear(self._now)
        elif code == _ERASE_HIDDEN:
            self._hidden = ""
        elif code == _CARRIAGE_RETURN and self._rolls:
            self._clear(self._now)
        elif code == _BACKSPACE:
            self._back()

    def _write(self, text: str) -> None:
        if self._writes_hidden:
            self._hidden += text
        else:
            if not self._shown:
                self._since = self._now
            self._shown += text

    def _new_row(self) -> None:
        if self._writes_hidden and self._hidden.strip():
            self._hidden += "\n"
        elif not self._writes_hidden and self._shown.strip():
            self._shown += "\n"

    def _back(self) -> None:
        if self._writes_hidden:
            self._hidden = self._hidden[:-1]
        else:
            self._shown = self._shown[:-1]

    def _clear(self, at: int) -> None:
        lines = [" ".join(line.split()) for line in self._shown.split("\n")]
        text = "\n".join(line for line in lines if line)
        if text:
            self._cues.append(Cue(self._since, max(at, self._since + 1), text))
        self._shown = ""
