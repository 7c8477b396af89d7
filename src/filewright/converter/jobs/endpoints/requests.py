"""What callers send about jobs, checked for shape. What it means is the service's business."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from filewright.chassis.egress.targets import MAX_URL_CHARS
from filewright.chassis.web.jsonbody import WholeNumber
from filewright.converter.jobs.orders import CONVERT, JobInput, JobOrder, OrderedStep, Reuse
from filewright.converter.operations.plans import MAX_STEPS
from filewright.converter.operations.port import MAX_INPUTS, OPERATIONS

_UPLOAD = "upl_01jd6qx2v7c8e9f0g1h2j3k4m5"
_Id = Annotated[str, Field(min_length=1, max_length=64)]
_Word = Annotated[str, Field(min_length=1, max_length=128)]
Password = Annotated[str, Field(min_length=1, max_length=1024)]
MAX_TAG = 200
MAX_BATCH = 100
TAG_MEANING = (
    "A word of your own, to find jobs by. `preview` says that the result is only looked at: such a job is not counted "
    "for `suggested_targets`."
)


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class InputRequest(_Asked):
    """One input: `{upload}`, `{url}`, or `{job, output}` for an output of an earlier job."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["upload"]}, {"required": ["url"]}, {"required": ["job"]}],
            "examples": [{"upload": _UPLOAD}, {"url": "https://example.com/report.docx"}],
        }
    )

    upload: _Id = ""
    url: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_URL_CHARS,
            description="Where to fetch the file: `https://` or `http://`, on the public internet, without redirects.",
        ),
    ] = ""
    job: _Id = ""
    output: Annotated[
        WholeNumber, Field(ge=0, le=1_000_000, description="Counted from 0; only together with `job`.")
    ] = 0
    source_format: Annotated[
        _Word | None, Field(alias="from", description="What the file is, when its content does not say.")
    ] = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if [bool(self.upload), bool(self.url), bool(self.job)].count(True) != 1:
            raise ValueError("name an `upload`, a `url`, or a `job` and its `output`")
        if not self.job and "output" in self.model_fields_set:
            raise ValueError("an `output` goes with a `job`")
        return self

    def as_input(self) -> JobInput:
        return JobInput(
            upload=self.upload or None,
            url=self.url or None,
            job=self.job or None,
            output=self.output,
            source_format=self.source_format,
        )


_OPERATION = Field(
    description="What is to be done: `convert`, or what `GET /v1/operations` lists.",
    json_schema_extra={"enum": [CONVERT, *OPERATIONS]},
)


class StepRequest(_Asked):
    """One thing to do with all files that there are by then."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"operation": "rotate", "options": {"degrees": 90}}]})

    operation: Annotated[_Word, _OPERATION]
    to: Annotated[
        _Word | None, Field(description="A format id, an extension or a media type; where the operation has a choice.")
    ] = None
    options: dict[str, Any] = Field(default_factory=dict)


class OrderRequest(_Asked):
    """What is to be done, with which files."""

    operation: Annotated[_Word, _OPERATION] = CONVERT
    inputs: list[InputRequest]
    to: Annotated[
        _Word | None,
        Field(
            description="A format id, an extension or a media type. `convert` needs it; most operations know what they "
            "give. With `steps`, what is to come out in the end."
        ),
    ] = None
    steps: Annotated[
        list[StepRequest],
        Field(
            max_length=MAX_STEPS,
            description="Instead of `operation` and `options`: several, each done with what the one before made. What "
            "takes one file is done with each; `merge` and `archive` make one of all.",
        ),
    ] = Field(default_factory=list)
    options: dict[str, Any] = Field(default_factory=dict)
    password: Password | None = None
    tag: Annotated[str | None, Field(max_length=MAX_TAG, description=TAG_MEANING)] = None
    webhook_url: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=MAX_URL_CHARS,
            description="Who is told when the job is over, beside registered webhooks: an `https://` address on the "
            "public internet. Signed with the secret of `GET /v1/webhooks/jobs/secret`.",
        ),
    ] = None

    def as_order(self, reuse: Reuse = Reuse.ANY) -> JobOrder:
        return JobOrder(
            inputs=tuple(item.as_input() for item in self.inputs),
            to=self.to,
            operation=self.operation,
            options=self.options,
            password=self.password,
            tag=self.tag,
            webhook_url=self.webhook_url,
            steps=tuple(OrderedStep(step.operation, step.to, step.options) for step in self.steps),
            reuse=reuse,
        )


class JobRequest(OrderRequest):
    """An order."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"inputs": [{"upload": _UPLOAD}], "to": "pdf", "tag": "invoice-4711"},
                {"operation": "merge", "inputs": [{"upload": _UPLOAD}, {"upload": _UPLOAD}]},
                {
                    "inputs": [{"upload": _UPLOAD}],
                    "steps": [
                        {"operation": "convert", "to": "pdf"},
                        {"operation": "split", "options": {"ranges": "1-3,4-"}},
                    ],
                },
            ]
        }
    )

    inputs: Annotated[
        list[InputRequest],
        Field(min_length=1, max_length=MAX_INPUTS, description="Several for what makes one thing of them, as `merge`."),
    ]
    dry_run: Annotated[bool, Field(description="Only say what would be done; nothing is stored.")] = False


class BatchRequest(OrderRequest):
    """The same to be done with each of many files."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"inputs": [{"upload": _UPLOAD}], "to": "pdf"}]})

    inputs: Annotated[list[InputRequest], Field(min_length=1, max_length=MAX_BATCH, description="A job for each.")]


class RatingRequest(_Asked):
    """What the owner thinks of the result."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"stars": 5, "comment": "All fonts were right."}]})

    stars: Annotated[WholeNumber, Field(ge=1, le=5)]
    comment: Annotated[str | None, Field(max_length=2000)] = None
