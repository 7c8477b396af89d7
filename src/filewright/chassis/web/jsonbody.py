"""JSON bodies: bounded in size and depth, strictly JSON, and refused field by field.

An endpoint takes `body: Annotated[Order, Depends(JsonBody(Order))]`; the OpenAPI document finds the model there too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

import orjson
from pydantic import BaseModel, BeforeValidator, ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import Request

from filewright.chassis.errors import FieldError
from filewright.chassis.web.body import read_body
from filewright.chassis.web.problems import InvalidRequest, UnsupportedMediaType

M = TypeVar("M", bound=BaseModel)

_JSON_TYPE = re.compile(r"application/([a-z0-9!#$&^_.-]{1,100}\+)?json")

MAX_JSON_BYTES = 1 << 20
MAX_JSON_DEPTH = 32
_MAX_ERRORS = 20


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


WholeNumber = Annotated[int, BeforeValidator(_whole)]
"""An integer of JSON, which knows one kind of number: 5.0 is 5. In a strict model, "5" and true are none."""


class JsonBody(Generic[M]):
    """A FastAPI dependency that gives the body as a model.

    With `optional`, no body at all stands for the model's defaults.
    """

    def __init__(self, model: type[M], *, optional: bool = False, max_bytes: int = MAX_JSON_BYTES) -> None:
        self.model = model
        self.optional = optional
        self._max_bytes = max_bytes

    async def __call__(self, request: Request) -> M:
        raw = await read_body(request, self._max_bytes)
        if not raw and self.optional:
            return self.model()
        require_json(request)
        return check(self.model, parse_json(raw))


def parse_json(raw: bytes, pointer: str = "") -> Any:
    """The value of a JSON text. Raises InvalidRequest; the detail names neither our parser nor its version."""
    if _depth(raw) > MAX_JSON_DEPTH:
        raise _refusal(pointer, f"The JSON is nested deeper than {MAX_JSON_DEPTH} levels.")
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        where = f" near character {error.pos}" if raw else ": it is empty"
        raise _refusal(pointer, f"The JSON cannot be read{where}.") from None
    if b"\\u0000" in raw and _has_nul(value):
        raise _refusal(pointer, "A text holds the character U+0000, which no file name, word or number needs.")
    return value


def check(model: type[M], untrusted: Any, pointer: str = "") -> M:
    """`untrusted` as a model. Raises InvalidRequest with a pointer for each wrong field."""
    try:
        return model.model_validate(untrusted)
    except ValidationError as error:
        raise validation_refusal(error.errors(include_url=False), pointer) from None


def validation_refusal(errors: Sequence[ErrorDetails], pointer: str = "") -> InvalidRequest:
    """Pydantic's findings in our words: no input is repeated, no type of ours named."""
    found = [FieldError(pointer + _pointer(item["loc"]), _sentence(item["msg"])) for item in errors[:_MAX_ERRORS]]
    first = found[0] if found else FieldError(pointer, "not valid")
    return InvalidRequest(f"{first.pointer or 'The body'}: {first.detail}", errors=tuple(found))


def require_json(request: Request) -> None:
    """Raise UnsupportedMediaType for a body that does not say it is JSON."""
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        raise UnsupportedMediaType("Send JSON, with the header `Content-Type: application/json`.")


def _has_nul(value: Any) -> bool:
    """Whether a text or key in there holds a NUL, which databases refuse to keep. The depth was bounded before."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any("\0" in key or _has_nul(inner) for key, inner in value.items())
    return isinstance(value, list) and any(_has_nul(inner) for inner in value)


def _refusal(pointer: str, detail: str) -> InvalidRequest:
    return InvalidRequest(detail, errors=(FieldError(pointer, detail),))


def _pointer(location: tuple[int | str, ...]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1")[:64] for part in location)


def _sentence(message: str) -> str:
    return message.removeprefix("Value error, ")


# The end of the text closes a string too: so the expression never fails, never backs up, and stays linear.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\Z)', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def _depth(raw: bytes) -> int:
    """The deepest nesting of brackets outside of strings, or the first that is too deep."""
    deepest = depth = 0
    for byte in _STRING.sub(b"", raw).translate(None, _NOT_BRACKETS):
        depth += 1 if byte in b"[{" else -1
        if depth > deepest:
            deepest = depth
            if deepest > MAX_JSON_DEPTH:
                break
    return deepest
