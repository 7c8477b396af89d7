"""The operators that Filewright brings, as one list that can be read from top to bottom.

As with engines: one that is not installed here still stands in the list, and importing its module never imports its
library.
"""

from __future__ import annotations

from collections.abc import Sequence

from filewright.converter.operations.archives import ARCHIVES, RAR
from filewright.converter.operations.extracting import FROM_DOCUMENTS, FROM_FILMS, FROM_PICTURES
from filewright.converter.operations.marking import PICTURES_MARKED
from filewright.converter.operations.notes import MEDIA_STRIPPED, NOTES
from filewright.converter.operations.pdf import PDF, PDF_MARKED
from filewright.converter.operations.port import Ability, Operator
from filewright.converter.operations.sanitizing import SANITIZED
from filewright.converter.operations.shrinking import MEDIA_SHRUNK, PICTURES_SHRUNK
from filewright.converter.operations.thumbnails import FILM_THUMBNAILS, STILL_THUMBNAILS
from filewright.converter.operations.turning import FILMS_TURNED, PICTURES_TURNED
from filewright.converter.operations.words import TESSERACT


def standard_operators() -> Sequence[Operator]:
    """Every operator. Where two can do the same, the one listed first is asked."""
    return (
        PDF,
        PDF_MARKED,
        # pictures, sound and films
        STILL_THUMBNAILS,
        FILM_THUMBNAILS,
        PICTURES_SHRUNK,
        MEDIA_SHRUNK,
        PICTURES_TURNED,
        FILMS_TURNED,
        PICTURES_MARKED,
        NOTES,
        MEDIA_STRIPPED,
        FROM_FILMS,
        FROM_PICTURES,
        FROM_DOCUMENTS,
        TESSERACT,
        # archives
        ARCHIVES,
        RAR,
        # anything that could do harm
        SANITIZED,
    )


def declared(operation: str) -> Sequence[Ability]:
    """What any of them could do of this operation, installed or not."""
    return [ability for it in standard_operators() for ability in it.abilities if ability.operation == operation]
