"""The wire shapes of jobs, exactly as the API shows them. Optional fields are absent when there is nothing to say."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from filewright.converter.jobs.states import PublicStatus, Stage


def _nothing(value: object) -> bool:
    return value is None


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class RouteStep(_Shape):
    """One hop of the route."""

    engine: str
    engine_version: str
    source: Annotated[str, Field(alias="from")]
    target: Annotated[str, Field(alias="to")]
    planned_version: Annotated[
        str | None,
        Field(
            exclude_if=_nothing,
            description="The version that was there when the job was ordered, if another one did the work: the engine "
            "was upgraded while the job waited, or before it was tried again.",
        ),
    ] = None
    lossy: bool
    operation: Annotated[
        str | None, Field(exclude_if=_nothing, description="What is done there, if it is no conversion.")
    ] = None


class Input(_Shape):
    """One input, and where it came from."""

    upload: Annotated[str | None, Field(exclude_if=_nothing)] = None
    job: Annotated[str | None, Field(exclude_if=_nothing)] = None
    output: Annotated[int | None, Field(exclude_if=_nothing)] = None
    name: str | None
    format: str | None
    media_type: str | None
    bytes: int
    sha256: str


class Output(_Shape):
    """One product. `url` is where its bytes are."""

    name: str
    media_type: str
    bytes: int
    sha256: str
    pages: Annotated[int | None, Field(exclude_if=_nothing)] = None
    width: Annotated[int | None, Field(exclude_if=_nothing)] = None
    height: Annotated[int | None, Field(exclude_if=_nothing)] = None
    duration: Annotated[float | None, Field(exclude_if=_nothing, description="Seconds.")] = None
    url: str


class FontSubstitution(_Shape):
    """A font that the document asks for and the product has not."""

    asked: Annotated[str, Field(examples=["Calibri"])]
    got: Annotated[
        str | None, Field(description="What came instead, by its name in the PDF; null: unknown.", examples=["Carlito"])
    ]


class Fidelity(_Shape):
    """How true the product is to its source. Measured for office documents that become a PDF, and for operations that
    make one PDF of PDFs.
    """

    pages: Annotated[int, Field(examples=[3])]
    words: Annotated[
        int | None,
        Field(description="Of the source, those that must be seen; null: there was no time to count.", examples=[812]),
    ]
    text_recall: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            description="What part of them is in the product; null: there are none, or none were counted.",
            examples=[1.0],
        ),
    ]
    missing_glyphs: Annotated[
        int, Field(description="Letters drawn as a box, because no font here has a shape for them.", examples=[0])
    ]
    substituted_fonts: tuple[FontSubstitution, ...]
    source_pages: Annotated[
        int | None,
        Field(exclude_if=_nothing, description="Of the files that it was made of, if those are PDFs.", examples=[3]),
    ] = None
    likeness: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            exclude_if=_nothing,
            description="How alike the pages look before and after an operation (SSIM), of a few drawn pages the one "
            "that is the least alike; 1 is the same.",
            examples=[0.997],
        ),
    ] = None


class JobProblem(_Shape):
    """Why a job did not succeed: a problem (RFC 9457), as an HTTP error would carry it."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str | None = None
    retryable: bool
    errors: tuple[Mapping[str, str], ...] = ()


class Job(_Shape):
    """What its owner sees of a job."""

    id: str
    status: PublicStatus
    stage: Annotated[Stage | None, Field(description="Where a running job is.")]
    progress: Annotated[int, Field(ge=0, le=100, description="Per cent; never decreases.")]
    operation: str
    source_format: str | None
    target_format: str | None
    route: tuple[RouteStep, ...]
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    fidelity: Annotated[
        Fidelity | None, Field(exclude_if=_nothing, description="Absent where nothing was measured.")
    ] = None
    error: Annotated[JobProblem | None, Field(exclude_if=_nothing)] = None
    attempt: int
    queue_position: Annotated[
        int | None,
        Field(
            exclude_if=_nothing,
            description="1 is next. Up to 100 it is counted. The answer to an order tells none beyond; a look does, in "
            "tens and as of two seconds ago at most.",
        ),
    ] = None
    estimated_seconds: Annotated[
        float | None,
        Field(exclude_if=_nothing, description="Until it is over, by how long such work took and what is before it."),
    ] = None
    cache: Annotated[
        Literal["hit", "miss"],
        Field(
            description="`hit`: answered with what an earlier job of yours had made of the same files, without work "
            "and without charge. An order with `Cache-Control: no-cache` is always worked on."
        ),
    ] = "miss"
    tag: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None
    links: Mapping[str, str]
    revision: Annotated[int, Field(exclude=True)]
    """Grows with each change: the ETag, the id of an event, and what a long poll compares."""

    @cached_property
    def text(self) -> bytes:
        """As it is sent, in JSON; written once for all who are shown this very object."""
        return self.model_dump_json(by_alias=True).encode()

    @cached_property
    def entity_tag(self) -> str:
        """Of that text. The revision alone would not do: the place in the queue changes without it."""
        return f'"{self.revision}-{hashlib.sha256(self.text).hexdigest()[:16]}"'


class JobPage(_Shape):
    """One page of a list, newest first."""

    data: tuple[Job, ...]
    next_cursor: str | None


class Batch(_Shape):
    """Jobs that were ordered together."""

    id: str
    status: Annotated[Literal["running", "finished"], Field(description="`finished` when every job is over.")]
    jobs: tuple[Job, ...]
    links: Mapping[str, str]


class QuotedLimits(_Shape):
    """What the job may use."""

    max_input_bytes: int
    max_output_bytes: int
    max_seconds: float
    max_pages: int
    max_pixels: int


class Quote(_Shape):
    """What a job would be, without making it."""

    route: tuple[RouteStep, ...]
    engine: Annotated[str, Field(description="The engine of the last step.")]
    limits: QuotedLimits
    estimated_seconds: Annotated[
        float, Field(description="Of the work itself, as far as it is known from earlier runs; after `queue_seconds`.")
    ]
    queue_seconds: Annotated[float, Field(description="How long it would wait for its turn.")]
    cost: Annotated[float, Field(description="Conversions of the month; 0 where nothing is billed.")]
    credits: Annotated[int, Field(description="Of them, what is beyond the month's: credits that it would take.")]
    cache: Annotated[
        Literal["hit", "miss"], Field(description="`hit`: an earlier job's result would answer at once, for nothing.")
    ]


@dataclass(frozen=True)
class JobEvent:
    """One event of a job's stream: `state`, `progress`, or the last one, `done`.

    `id` resumes the stream after it. `data` is ready for JSON: `{status, stage, progress, attempt, at}`, and for `done`
    the whole job.
    """

    id: int
    event: Literal["state", "progress", "done"]
    data: Mapping[str, Any]


@dataclass(frozen=True)
class OpenedOutput:
    """An output and the bytes asked for. Nothing is read until `chunks` is iterated."""

    output: Output
    chunks: AsyncIterator[bytes]
