"""`filewright fonts`: fonts of one's own on a server, for the documents that it converts for their owner."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer

from filewright.converter.commands.converting.wishes import ApiKey
from filewright.converter.commands.exits import CODES_EPILOG, Exit, UsageProblem, complain, described, printable
from filewright.converter.commands.showing import AsJson, human_size, table

if TYPE_CHECKING:
    from filewright.converter.commands.converting.server import Server

fonts = typer.Typer(
    name="fonts",
    help="Your own fonts on a server: documents that you have converted there get them, nobody else's do. For work on "
    "this machine there is `filewright convert --fonts`.",
    no_args_is_help=True,
)
Remote = Annotated[str, typer.Option(metavar="URL", help="The Filewright server.")]
_HERE = "http://127.0.0.1:8000"
_PAGE = 100


@dataclass(frozen=True)
class _Came:
    """What came of one file or one id."""

    asked: str
    font: Mapping[str, Any] | None = None
    new: bool = True
    code: str | None = None
    detail: str | None = None
    exit_code: int = Exit.DONE

    def as_json(self) -> dict[str, Any]:
        if self.code is not None:
            return {"asked": self.asked, "status": "failed", "code": self.code, "detail": self.detail}
        return {"asked": self.asked, "status": "succeeded"} | ({"font": self.font} if self.font else {})


_Do = Callable[["Server", str], Awaitable[_Came]]


@fonts.command("list", epilog=CODES_EPILOG)
def list_fonts(remote: Remote = _HERE, api_key: ApiKey = None, *, as_json: AsJson = False) -> None:
    """Show your fonts, newest first, and how much room there is.

    \b
    Examples:
      filewright fonts list
      FILEWRIGHT_API_KEY=fw_live_… filewright fonts list --remote https://files.example.com --json
    """  # noqa: D301 - click keeps the lines after this mark
    try:
        page = asyncio.run(_with_server(remote, api_key, _all_fonts))
    except Exception as error:  # noqa: BLE001 - here any failure becomes a sentence and an exit code
        raise typer.Exit(_refused(remote, error, api_key).exit_code) from None
    if as_json:
        typer.echo(json.dumps(page, ensure_ascii=False))
        return
    table([_row(font) for font in page["data"]])
    typer.echo(
        f"{page['fonts']} of {page['max_fonts']} fonts, {human_size(page['bytes'])} of {human_size(page['max_bytes'])}"
    )


@fonts.command("add", epilog=CODES_EPILOG, no_args_is_help=True)
def add_fonts(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="TTF, OTF, TTC, WOFF or WOFF2.")],
    remote: Remote = _HERE,
    api_key: ApiKey = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Bring fonts. What begins to be converted afterwards has them; the same file again is the same font.

    \b
    Examples:
      filewright fonts add AcmeSans-Regular.ttf AcmeSans-Bold.ttf
      FILEWRIGHT_API_KEY=fw_live_… filewright fonts add acme.woff2 --remote https://files.example.com
    """  # noqa: D301 - click keeps the lines after this mark
    _each([str(path) for path in files], _add, remote, api_key, as_json=as_json)


@fonts.command("remove", epilog=CODES_EPILOG, no_args_is_help=True)
def remove_fonts(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="As `filewright fonts list` shows them.")],
    remote: Remote = _HERE,
    api_key: ApiKey = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Take fonts away. What begins to be converted afterwards does not have them.

    \b
    Examples:
      filewright fonts remove fnt_01jd6qx2v7c8e9f0g1h2j3k4m5
    """  # noqa: D301 - click keeps the lines after this mark
    _each(ids, _remove, remote, api_key, as_json=as_json)


def _each(asked: Sequence[str], do: _Do, remote: str, key: str | None, *, as_json: bool) -> None:
    """One after the other; what is wrong with one does not stop the others."""

    async def work(server: Server) -> list[_Came]:
        return [await _one(server, one, do, key, as_json=as_json) for one in asked]

    try:
        came = asyncio.run(_with_server(remote, key, work))
    except UsageProblem as error:
        raise typer.Exit(_refused(remote, error, key).exit_code) from None
    if as_json:
        typer.echo(json.dumps({"results": [one.as_json() for one in came]}, ensure_ascii=False))
    raise typer.Exit(max(one.exit_code for one in came))


async def _one(server: Server, asked: str, do: _Do, key: str | None, *, as_json: bool) -> _Came:
    try:
        with server.listening():
            came = await do(server, asked)
    except Exception as error:  # noqa: BLE001 - here any failure becomes a sentence and an exit code
        return _refused(asked, error, key)
    if not as_json:
        typer.echo(printable(_sentence(came)))
    return came


def _sentence(came: _Came) -> str:
    if came.font is None:
        return f"{came.asked}  removed"
    return "  ".join([*_row(came.font)[:2], f"({came.asked})", *([] if came.new else ["was there already"])])


async def _add(server: Server, asked: str) -> _Came:
    from filewright.converter.commands.converting.server import said  # noqa: PLC0415 - keeps --help quick

    path = Path(asked)
    content = await asyncio.to_thread(path.read_bytes)
    headers = {"Idempotency-Key": uuid4().hex}
    answer = await server.sent("POST", "/v1/fonts", files={"file": (path.name, content)}, headers=headers)
    return _Came(asked, said(answer), new=answer.status_code == 201)


async def _remove(server: Server, asked: str) -> _Came:
    await server.sent("DELETE", f"/v1/fonts/{_in_a_path(asked)}")
    return _Came(asked)


async def _all_fonts(server: Server) -> dict[str, Any]:
    """One page of all."""
    from filewright.converter.commands.converting.server import said  # noqa: PLC0415 - keeps --help quick

    with server.listening():
        page = said(await server.sent("GET", "/v1/fonts", params={"limit": _PAGE}))
        while page["next_cursor"]:
            more = said(await server.sent("GET", "/v1/fonts", params={"limit": _PAGE, "cursor": page["next_cursor"]}))
            page = {**more, "data": [*page["data"], *more["data"]]}
    return {name: value for name, value in page.items() if name != "next_cursor"}


async def _with_server(remote: str, key: str | None, work: Callable[[Server], Awaitable[Any]]) -> Any:
    from filewright.converter.commands.converting.server import open_server  # noqa: PLC0415 - keeps --help quick

    async with open_server(remote, key) as server:
        return await work(server)


def _row(font: Mapping[str, Any]) -> tuple[str, ...]:
    names = ", ".join(f"{face['family']} {face['style']}" for face in font["faces"])
    return font["id"], printable(names), font["format"], human_size(font["bytes"]), printable(font["filename"])


def _refused(asked: str, error: Exception, key: str | None) -> _Came:
    code, detail, exit_code = described(error)
    if code in {"forbidden", "unauthenticated"} and key is None:
        detail += " Make an API key on the account page of the server, and set FILEWRIGHT_API_KEY to it."
    complain(asked, detail, code)
    return _Came(asked, code=code, detail=detail, exit_code=exit_code)


def _in_a_path(asked: str) -> str:
    from urllib.parse import quote  # noqa: PLC0415 - keeps --help quick

    return quote(asked, safe="")
