"""Bring a file in from its address, as if its owner had uploaded it.

It is fetched while the order is being taken, by the one way out (`chassis/egress`), and goes straight to storage: what
is known of it afterwards is what is known of any upload. What the other side says about the file is believed as far as
a name: its content decides what it is.
"""

from __future__ import annotations

import asyncio
from email.message import Message

from filewright.chassis.egress.client import Bounds, Egress, Incoming, Outgoing
from filewright.chassis.egress.errors import SourceFailed, SourceForbidden
from filewright.chassis.egress.targets import target_of
from filewright.chassis.web.downloads import safe_name
from filewright.chassis.web.problems import Overloaded
from filewright.converter.errors import TooLarge
from filewright.converter.formats.catalogue import by_name
from filewright.converter.formats.detection import claimed_format
from filewright.converter.tiers import Caller
from filewright.converter.uploads.completing import Completed
from filewright.converter.uploads.service import Uploads

SECONDS = 100.0
"""How long a file may take to arrive. Whoever ordered waits meanwhile, so it is less than proxies are patient."""
SILENT_SECONDS = 15.0
AT_ONCE = 16
"""Files that one process fetches at the same time."""
_MORE = 1 << 20
"""Than a file may have: that it is too large is for storage to say."""
_REDIRECTS = range(300, 400)


class Imports:
    """Fetches."""

    def __init__(self, egress: Egress, uploads: Uploads, *, at_once: int = AT_ONCE) -> None:
        self._egress = egress
        self._uploads = uploads
        self._free = asyncio.Semaphore(at_once)

    async def fetch(self, caller: Caller, url: str) -> Completed:
        """The file as a complete upload. Whatever it raises, nothing of it is left.

        Raises SourceForbidden, SourceFailed, TooLarge, and Overloaded while too many are being fetched.
        """
        if self._free.locked():
            raise Overloaded("Too many files are being fetched right now; try again in a moment.", retry_after=5.0)
        limit = caller.tier.max_input_bytes
        bounds = Bounds(seconds=SECONDS, silent_seconds=SILENT_SECONDS, body_bytes=limit + _MORE)
        async with self._free, self._egress.open(Outgoing("GET", url, purpose="import", bounds=bounds)) as incoming:
            _check(incoming, limit)
            return await self._uploads.receive(caller, _name(incoming), incoming.pieces)


def name_in(url: str) -> str:
    """What the file would be called by its address alone. Raises SourceForbidden."""
    return safe_name(target_of(url).filename)


def _check(incoming: Incoming, limit: int) -> None:
    if incoming.status in _REDIRECTS:
        raise SourceForbidden("The address leads on to another one, which is not followed; give the last one.")
    if incoming.status != 200:
        raise SourceFailed(f"There is no file to be had: the address answers {incoming.status}.")
    length = incoming.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and (len(length) > 18 or int(length) > limit):
        raise TooLarge(f"The file is larger than the {limit} bytes that are allowed.")


def _name(incoming: Incoming) -> str:
    """By the answer, else by the address; with the ending that its media type has, where the name has none of ours."""
    said = _header("content-disposition", incoming).get_filename()
    name = safe_name(said or incoming.target.filename)
    if claimed_format(name) is not None:
        return name
    kind = by_name(_header("content-type", incoming).get_content_type()) if "content-type" in incoming.headers else None
    return f"{name}.{kind.extension}" if kind is not None else name


def _header(name: str, incoming: Incoming) -> Message:
    message = Message()
    message[name] = incoming.headers.get(name, "")
    return message
