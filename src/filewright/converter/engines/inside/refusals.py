"""Turn what a library raises into a `Refusal` that the caller can act on.

Rust libraries panic where others raise: a panic reaches Python as a class that cannot be imported and that is no
`Exception`. On a reader, a panic means that the bytes were not what the library believes a valid file to be.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from filewright.chassis.sandbox.child import Refusal


@contextmanager
def refusing(code: str, *kinds: type[BaseException]) -> Iterator[None]:
    """Raise `Refusal(code)` for these exceptions and for a panic; a `Refusal` of more precise kind passes."""
    try:
        yield
    except Refusal:
        raise
    except MemoryError as error:
        raise Refusal("resource_limit") from error
    except BaseException as error:
        if isinstance(error, kinds) or is_panic(error):
            raise Refusal(code) from error
        raise


def is_panic(error: BaseException) -> bool:
    """Whether this is a panic of a Rust library."""
    return type(error).__name__ == "PanicException"
