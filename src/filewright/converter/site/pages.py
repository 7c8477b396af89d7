"""The page as the server gives it: whole without any script (file, target, go, result), with the scripts beside it.

The form posts to `/v1/convert` like every other client. Where that call answers a browser and not a program (it asked
for `text/html`), the answer is shown by this module: a job that is not over yet as a page that looks again by itself,
a refusal as a page that says what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from filewright.chassis.errors import ProblemError
from filewright.chassis.web.problems import Unauthenticated
from filewright.chassis.web.statics import StaticFolder
from filewright.converter.formats.catalogue import FORMATS, Family, Format
from filewright.converter.jobs.schemas import Job, Output
from filewright.converter.jobs.service import Jobs
from filewright.converter.jobs.states import PublicStatus
from filewright.converter.routing.planner import Planner
from filewright.converter.site.callers import LOCAL_TENANT
from filewright.converter.tiers import Caller

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'",
    "Cache-Control": "no-store",
}
STATIC = StaticFolder(files(__package__).joinpath("static"))
_OFTEN = ("pdf", "docx", "jpg", "png", "webp", "mp3", "mp4", "xlsx", "csv", "html", "md", "epub", "zip")
_ACCOUNT_LINK = '<a href="/account" data-t="page.account">Account</a>'
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
    """What the pages need. `caller_of` says who a request comes from."""

    jobs: Jobs
    planner: Planner
    caller_of: Callable[[Request], Caller]


def router(pages: Pages) -> APIRouter:
    """`/`, `/jobs/{id}`, `/account` and `/static/…`; none of them is part of the API."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    async def start(request: Request) -> Response:
        return start_page(pages.caller_of(request), _targets(pages.planner))

    @routes.get("/jobs/{job_id}")
    async def job(request: Request, job_id: str) -> Response:
        caller = pages.caller_of(request)
        try:
            found = await pages.jobs.get(caller, job_id)
        except ProblemError as error:
            return problem_page(caller, code=error.code, heading=error.title, detail=error.detail, status=error.status)
        return job_page(caller, found)

    @routes.get("/account")
    @routes.get("/account/verify")
    @routes.get("/account/reset")
    async def account(request: Request) -> Response:
        return account_page(local=_is_owner(pages, request))

    @routes.api_route("/static/{name:path}", methods=["GET", "HEAD"])
    async def static(request: Request, name: str) -> Response:
        return STATIC.answer(request, name)

    return routes


def start_page(caller: Caller, targets: Iterable[Format]) -> Response:
    """The form."""
    body = _fill("start.html", limit=_size(caller.tier.max_input_bytes), targets=_options(targets))
    return _page(caller, "Filewright", body, head=_fill("start_head.html"))


def account_page(*, local: bool) -> Response:
    """Where people sign up and in, and look after their keys: the same for all, its script asks the API for the rest.

    The two addresses below it stand in letters, with a code behind the `#`. `local`: nobody here needs an account.
    """
    body = _fill("account.html", local="true" if local else "false")
    return _shell("Account · Filewright", body, head=_fill("account_head.html"))


def job_page(caller: Caller, job: Job) -> Response:
    """A job as its owner sees it in a browser: waiting, done, or what went wrong."""
    if job.status in {PublicStatus.QUEUED, PublicStatus.RUNNING}:
        return _waiting(caller, job)
    if job.status is PublicStatus.SUCCEEDED:
        return _done(caller, job)
    if job.error is not None:
        return problem_page(caller, code=job.error.code, heading=job.error.title, detail=job.error.detail)
    return problem_page(
        caller, code=str(job.status), heading="The job is over", detail="Its files are gone. Send the file again."
    )


def problem_page(caller: Caller, *, code: str, heading: str, detail: str, status: int = 200) -> Response:
    """A refusal, and what to do about it."""
    body = _fill("problem.html", heading=escape(heading), detail=escape(detail), code=escape(code))
    return _page(caller, heading, body, status=status)


def _waiting(caller: Caller, job: Job) -> Response:
    queued = job.status is PublicStatus.QUEUED
    place = f"Number {job.queue_position} in the queue." if job.queue_position else "It starts in a moment."
    name = escape(job.inputs[0].name or "the file") if job.inputs else "the file"
    body = _fill(
        "waiting.html",
        heading=f"Converting {name}" if not queued else f"{name} waits for its turn",
        sentence=place if queued else f"{job.progress} % done.",
        progress=str(job.progress),
    )
    return _page(caller, "Converting", body, head=_LOOK_AGAIN)


def _done(caller: Caller, job: Job) -> Response:
    several = len(job.outputs) > 1
    body = _fill(
        "done.html",
        source=_format_name(job.source_format),
        target=_format_name(job.target_format),
        route=escape(", then ".join(f"{step.engine} {step.engine_version}".strip() for step in job.route)),
        outputs="\n".join(_output(output) for output in job.outputs),
        all=f'<a class="button" href="/v1/jobs/{escape(job.id)}/outputs">Download all</a>' if several else "",
    )
    return _page(caller, "Done", body)


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


def _page(caller: Caller, title: str, body: str, *, head: str = "", status: int = 200) -> Response:
    return _shell(
        title,
        body,
        head=head,
        privacy=_fill("privacy.html", retention=_duration(caller.tier.retention_seconds)),
        account="" if caller.tenant == LOCAL_TENANT else _ACCOUNT_LINK,
        status=status,
    )


def _shell(
    title: str, body: str, *, head: str = "", privacy: str = "", account: str = "", status: int = 200
) -> Response:
    text = _fill("layout.html", title=escape(title), head=head, body=body, privacy=privacy, account=account)
    return HTMLResponse(text, status_code=status, headers=dict(HEADERS))


def _is_owner(pages: Pages, request: Request) -> bool:
    """Whether the machine belongs to whoever asks; where strangers are not let in, they may still come to sign in."""
    try:
        return pages.caller_of(request).tenant == LOCAL_TENANT
    except Unauthenticated:
        return False


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
