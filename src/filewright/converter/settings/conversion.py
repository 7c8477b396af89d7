"""How files are converted, and what is kept and told of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, field_validator

SandboxName = Literal["isolated", "confined", "limited"]


class ConversionSettings(BaseModel):
    """Engines, results and their time."""

    log_format: Annotated[
        Literal["console", "json"], Field(description="How log lines are written to standard error.")
    ] = "console"
    sandbox: Annotated[
        SandboxName,
        Field(
            description="The weakest sandbox that jobs may run in: `isolated` (namespaces by bubblewrap), `confined` "
            "(Landlock and seccomp) or `limited` (resource limits only; for files you made yourself). The service does "
            "not take jobs where the machine gives less.",
        ),
    ] = "confined"
    office: Annotated[
        Literal["auto", "ready", "fork", "daemon", "cold"],
        Field(
            description="How LibreOffice is run. `auto`: when the third document comes, it is loaded into a process "
            "that then forks a sandboxed child for each conversion; where that does not prove itself, one that listens "
            "converts document after document of one owner; where that does not either, it is started anew for each. "
            "`ready`: the same, when the service starts. `fork`: without the one that listens. `daemon`: without the "
            "one that forks. `cold`: started anew for each conversion, which takes four times the CPU.",
        ),
    ] = "auto"
    office_documents: Annotated[
        int,
        Field(
            ge=1,
            le=1000,
            description="How many documents a child of the LibreOffice that forks converts, all of one owner. More "
            "than 1 saves up to a quarter of the CPU, and a document that takes LibreOffice over then sees those of "
            "the same owner that follow.",
        ),
    ] = 1
    look_products: Annotated[
        int,
        Field(
            ge=1,
            le=1000,
            description="How many results a child of the process that opens results to check them looks at, all of "
            "one owner; it ends when none has come for 5 seconds. 1: a child for each, which costs some 25 ms of CPU "
            "more.",
        ),
    ] = 50
    fonts: Annotated[
        Path | None,
        Field(
            description="A folder of fonts (`.ttf`, `.otf`, `.ttc`, also in folders below it) that documents get "
            "besides those of the system. A change of it is seen at the next start.",
        ),
    ] = None
    result_cache: Annotated[
        bool,
        Field(
            description="Whether an order is answered with what an earlier job of the same owner has made of the same "
            "files in the same way, as long as that is kept. `false`: every order is worked on.",
        ),
    ] = True
    engines_dir: Annotated[
        Path | None,
        Field(
            description="Folder of engine files (`*.yaml`), each of which makes a program of this machine an engine; "
            "see docs/how-to/write-an-engine.md. The same for every process. Without it: none.",
        ),
    ] = None
    engines_strict: Annotated[
        bool,
        Field(
            description="Do not start while something is wrong with an engine file or an engine of another package. "
            "`false`: such an engine is left out; `filewright doctor` and the log say why.",
        ),
    ] = False
    retention_hours: Annotated[
        float | None,
        Field(
            gt=0, le=24 * 365, description="Hours that files are kept after a job ends. Without it: as the tier says."
        ),
    ] = None
    request_log_days: Annotated[
        int | None,
        Field(
            ge=0,
            le=3650,
            description="Days that requests to the API are kept in the table `api_requests` (when, who, route, status, "
            "seconds, bytes). `0`: none is written down. Without it: 30 for the role `api`, none for `serve`.",
        ),
    ] = None
    learned_targets: Annotated[
        bool,
        Field(
            description="Whether the targets that people choose for a kind of file are counted, and suggested first to "
            "the next one. Only counts of format pairs are kept, none of them belonging to anybody. `false`: what is "
            "usual is suggested, and nothing is counted.",
        ),
    ] = True
    lease_seconds: Annotated[
        float,
        Field(
            ge=1,
            le=600,
            description="How long a job stays with a worker that is not heard of, before another takes it over. "
            "Workers renew it at a sixth of that, and stop by themselves at two thirds. Shorter ones are for tests of "
            "failure: a worker that a busy machine delays for so long loses its work.",
        ),
    ] = 30.0
    failpoints: Annotated[
        str, Field(description="For tests of failure only: points of the code at which to die or fail.")
    ] = ""

    @field_validator("fonts")
    @classmethod
    def _is_folder(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            raise ValueError("name a folder that is there")
        return value.resolve() if value is not None else None
