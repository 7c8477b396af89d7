"""The page as the server gives it: whole without any script (file, target, go, result), with the scripts beside it.

The form posts to `/v1/convert` like every other client. Where that call answers a browser and not a program (it asked
for `text/html`), the answer is shown by this module: a job that is not over yet as a page that looks again by itself,
a refusal as a page that says what to do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from filewright.chassis.errors import ProblemError
from filewright.chassis.web.problems import NotFound, Unauthenticated
from filewright.chassis.web.statics import StaticFolder
from filewright.converter.formats.catalogue import FORMATS, Family, Format
from filewright.converter.jobs.schemas import Job, Output
from filewright.converter.jobs.service import Jobs
from filewright.converter.jobs.states import PublicStatus
from filewright.converter.routing.planner import Planner
from filewright.converter.site.callers import LOCAL_TENANT, Visitor
from filewright.converter.tiers import ADMIN

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",  # without any, forms would not say either that they come from here
}
STATIC = StaticFolder(files(__package__).joinpath("static"))
_OFTEN = ("pdf", "docx", "jpg", "png", "webp", "mp3", "mp4", "xlsx", "csv", "html", "md", "epub", "zip")
_SIGN_IN = '<a class="button small quiet" href="/account?to=files" data-t="page.in">Sign in</a>'
_ADMIN_LINK = '\n<a href="/admin">Administration</a>'
_ACCOUNT_LINK = '<a href="/account" data-t="page.account">Account</a>'
_FILES, _ADMIN = "files", "admin"
_LOOK_AGAIN = '<meta http-equiv="refresh" content="2">'
_FAMILY_NAMES: Mapping[Family, str] = {
    Family.DOCUMENT: "Documents",
    Family.MARKUP: "Text and mark-up",
    Family.SHEET: "Sheets",
    Family.SLIDES: "Slides",
    Family.PDF: "Pages",
    Family.EBOOK: "Books",
    Family.IMAGE: "Pictures",
    Family.AUDIO: "Sound",
    Family.VIDEO: "Film",
    Family.SUBTITLE: "Subtitles",
    Family.DATA: "Data",
    Family.ARCHIVE: "Archives",
    Family.EMAIL: "Mail",
    Family.FONT: "Fonts",
    Family.GEO: "Maps",
    Family.CAD: "Meshes and drawings",
}


@dataclass(frozen=True)
class Pages:
    """What the pages need. `visitor_of` says who a request comes from."""

    jobs: Jobs
    planner: Planner
    visitor_of: Callable[[Request], Awaitable[Visitor]]
    sign_out: Callable[[Request, Response], Awaitable[None]]
    """Ends the session of the browser, if it says which and the request comes from a page of ours."""
    forget: Callable[[Request, Response], None]
    """Has the browser forget a cookie that is good no more."""
    provider: str = ""
    """Where else people may sign in, by a name they know; empty: nowhere."""


def router(pages: Pages) -> APIRouter:
    """`/`, `/jobs/{id}`, `/account`, `/admin` and `/static/…`; none of them is part of the API."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    async def start(request: Request) -> Response:
        visitor = await _let_in(pages, request)
        if isinstance(visitor, Response):
            return visitor
        return _tidied(pages, request, visitor, start_page(visitor, _targets(pages.planner)))

    @routes.get("/jobs/{job_id}")
    async def job(request: Request, job_id: str) -> Response:
        visitor = await _let_in(pages, request)
        if isinstance(visitor, Response):
            return visitor
        try:
            found = await pages.jobs.get(visitor.caller, job_id)
        except ProblemError as error:
            return problem_page(visitor, code=error.code, heading=error.title, detail=error.detail, status=error.status)
        return job_page(visitor, found)

    @routes.get("/account")
    @routes.get("/account/verify")
    @routes.get("/account/reset")
    @routes.get("/account/oidc")
    async def account(request: Request) -> Response:
        visitor = await _maybe(pages, request)
        page = account_page(visitor, provider=pages.provider)
        return page if visitor is None else _tidied(pages, request, visitor, page)

    @routes.get("/admin")
    async def admin(request: Request) -> Response:
        visitor = await _let_in(pages, request, _ADMIN)
        if isinstance(visitor, Response):
            return visitor
        if ADMIN in visitor.caller.scopes:
            return admin_page(visitor)
        if visitor.person is None:
            return _sent_to_sign_in(_ADMIN)
        detail = "There is nothing at this address."
        return problem_page(visitor, code=NotFound.code, heading=NotFound.title, detail=detail, status=404)

    @routes.post("/account/sign-out")
    async def sign_out(request: Request) -> Response:
        gone = RedirectResponse("/", status_code=303)
        await pages.sign_out(request, gone)
        return gone

    @routes.api_route("/static/{name:path}", methods=["GET", "HEAD"])
    async def static(request: Request, name: str) -> Response:
        return STATIC.answer(request, name)

    return routes


async def _let_in(pages: Pages, request: Request, onward: str = _FILES) -> Visitor | Response:
    """The visitor, or the way to where strangers sign in. Raises Unauthenticated for programs, which read no pages."""
    try:
        return await pages.visitor_of(request)
    except Unauthenticated:
        if "text/html" not in request.headers.get("accept", "").lower():
            raise
        return _sent_to_sign_in(onward)


def _sent_to_sign_in(onward: str) -> Response:
    """And back to where they wanted to go."""
    return RedirectResponse(f"/account?to={onward}", status_code=303)


async def _maybe(pages: Pages, request: Request) -> Visitor | None:
    """The visitor; None for a stranger where strangers are not let in: they may still come to sign in."""
    try:
        return await pages.visitor_of(request)
    except Unauthenticated:
        return None


def _tidied(pages: Pages, request: Request, visitor: Visitor, page: Response) -> Response:
    """The page; whoever is signed in no more has no cookie after it."""
    if visitor.person is None:
        pages.forget(request, page)
    return page


def start_page(visitor: Visitor, targets: Iterable[Format]) -> Response:
    """The form."""
    body = _fill("start.html", limit=_size(visitor.caller.tier.max_input_bytes), targets=_options(targets))
    return _page(visitor, "Filewright", body, head=_fill("start_head.html"))


def account_page(visitor: Visitor | None, *, provider: str) -> Response:
    """Where people sign up and in, and look after their account: its script asks the API for all of it.

    Of the addresses below it two stand in letters, with a code behind the `#`; to the third a provider sends people
    back. It says to whom nobody needs an account: to the owner of this machine.
    """
    here = visitor is not None and visitor.person is not None
    local = visitor is not None and visitor.caller.tenant == LOCAL_TENANT
    body = _fill("account.html", local=str(local).lower(), here=str(here).lower(), provider=escape(provider))
    return _shell("Account · Filewright", body, head=_fill("account_head.html"))


def admin_page(visitor: Visitor) -> Response:
    """What operators see and do; its script asks the API for all of it, which asks who they are once more."""
    return _page(visitor, "Administration · Filewright", _fill("admin.html"), head=_fill("admin_head.html"))


def job_page(visitor: Visitor, job: Job) -> Response:
    """A job as its owner sees it in a browser: waiting, done, or what went wrong."""
    if job.status in {PublicStatus.QUEUED, PublicStatus.RUNNING}:
        return _waiting(visitor, job)
    if job.status is PublicStatus.SUCCEEDED:
        return _done(visitor, job)
    if job.error is not None:
        return problem_page(visitor, code=job.error.code, heading=job.error.title, detail=job.error.detail)
    return problem_page(
        visitor, code=str(job.status), heading="The job is over", detail="Its files are gone. Send the file again."
    )


def problem_page(visitor: Visitor, *, code: str, heading: str, detail: str, status: int = 200) -> Response:
    """A refusal, and what to do about it."""
    body = _fill("problem.html", heading=escape(heading), detail=escape(detail), code=escape(code))
    return _page(visitor, heading, body, status=status)


def _waiting(visitor: Visitor, job: Job) -> Response:
    queued = job.status is PublicStatus.QUEUED
    place = f"Number {job.queue_position} in the queue." if job.queue_position else "It starts in a moment."
    name = escape(job.inputs[0].name or "the file") if job.inputs else "the file"
    body = _fill(
        "waiting.html",
        heading=f"Converting {name}" if not queued else f"{name} waits for its turn",
        sentence=place if queued else f"{job.progress} % done.",
        progress=str(job.progress),
    )
    return _page(visitor, "Converting", body, head=_LOOK_AGAIN)


def _done(visitor: Visitor, job: Job) -> Response:
    several = len(job.outputs) > 1
    body = _fill(
        "done.html",
        source=_format_name(job.source_format),
        target=_format_name(job.target_format),
        route=escape(", then ".join(f"{step.engine} {step.engine_version}".strip() for step in job.route)),
        outputs="\n".join(_output(output) for output in job.outputs),
        all=f'<a class="button" href="/v1/jobs/{escape(job.id)}/outputs">Download all</a>' if several else "",
    )
    return _page(visitor, "Done", body)


def _output(output: Output) -> str:
    size = f'<span class="size">{_size(output.bytes)}</span>'
    return (
        f"<li><span>{escape(output.name)} {size}</span>"
        f'<a class="button" href="{escape(output.url)}" download>Download</a></li>'
    )


def _format_name(format_id: str | None) -> str:
    known = FORMATS.get(format_id or "")
    return escape(known.name if known else format_id or "unknown")


def _options(targets: Iterable[Format]) -> str:
    """A `<select>`'s choices: what people want most, then everything by family."""
    by_id = {item.id: item for item in targets}
    often = [by_id[name] for name in _OFTEN if name in by_id]
    groups = [_group("Often wanted", often)]
    for family, name in _FAMILY_NAMES.items():
        members = sorted((item for item in by_id.values() if item.family is family), key=lambda item: item.name)
        groups.append(_group(name, members))
    return "\n".join(groups)


def _group(name: str, members: Iterable[Format]) -> str:
    choices = "".join(f'<option value="{item.id}">{escape(item.name)} (.{item.extension})</option>' for item in members)
    return f'<optgroup label="{escape(name)}">{choices}</optgroup>' if choices else ""


def _size(count: float) -> str:
    for unit in ("bytes", "KB", "MB", "GB"):
        if count < 1024 or unit == "GB":
            return (
                f"{count:.0f} {unit}" if count >= 10 or unit == "bytes" else f"{count:.1f} {unit}".replace(".0 ", " ")
            )
        count /= 1024
    raise AssertionError


def _page(visitor: Visitor, title: str, body: str, *, head: str = "", status: int = 200) -> Response:
    return _shell(
        title,
        body,
        head=head + (_fill("person_head.html") if visitor.person is not None else ""),
        privacy=_fill("privacy.html", retention=_duration(visitor.caller.tier.retention_seconds)),
        account="" if visitor.caller.tenant == LOCAL_TENANT else _ACCOUNT_LINK,
        person=_person(visitor),
        status=status,
    )


def _person(visitor: Visitor) -> str:
    """Who is signed in, and the way out; for strangers the way in, where there is anything to sign in for."""
    person = visitor.person
    if person is None:
        return "" if visitor.caller.tenant == LOCAL_TENANT else _SIGN_IN
    admin = _ADMIN_LINK if ADMIN in visitor.caller.scopes else ""
    initial = escape(person.email[0].upper())
    return _fill("person.html", user=escape(person.user), initial=initial, email=escape(person.email), admin=admin)


def _shell(
    title: str,
    body: str,
    *,
    head: str = "",
    privacy: str = "",
    account: str = "",
    person: str = "",
    status: int = 200,
) -> Response:
    parts = {"head": head, "body": body, "privacy": privacy, "account": account, "person": person}
    text = _fill("layout.html", title=escape(title), **parts)
    return HTMLResponse(text, status_code=status, headers=dict(HEADERS))


def _duration(seconds: float) -> str:
    hours = round(seconds / 3600)
    if hours <= 1:
        return f"{max(1, round(seconds / 60))} minutes"
    return f"{hours} hours"


def _fill(template: str, **values: Any) -> str:
    return _template(template).substitute(values, static=STATIC.address)


@cache
def _template(name: str) -> Template:
    return Template(files(__package__).joinpath("templates", name).read_text(encoding="utf-8"))


def _targets(planner: Planner) -> list[Format]:
    reachable = {route.target for source in planner.sources() for route in planner.targets(source)}
    return [item for item in FORMATS.values() if item.id in reachable]
