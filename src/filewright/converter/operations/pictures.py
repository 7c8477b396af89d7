"""Which pictures the operators on pictures take: all that the engine of pictures reads."""

from __future__ import annotations

from filewright.converter.engines.pillow import PILLOW

PICTURES = tuple(dict.fromkeys(conversion.source for conversion in PILLOW.conversions))
"""Format ids, the most usual first."""
WRITTEN_AGAIN = tuple(source for source in PICTURES if any(c.target == source for c in PILLOW.conversions))
"""Those that it also writes in their own format, with everything that such a file can hold."""
