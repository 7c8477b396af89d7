"""The composition root: settings in, wired services out. Read it to know all there is.

    serve    = api + worker + upkeep in one process, on SQLite, a folder and memory          (embedded)
    api      = requests and pages, and the relay of what they order         ┐ on PostgreSQL, Redis
    worker   = slots that convert                                           │ and S3, any number of
    beat     = upkeep, by whichever of them leads                           ┘ each (distributed)

    platform    what all stand on                        features    what the product can do
    work        what converts                            upkeep      what runs by itself
    people      who they are and how they sign in        checks      what must be true first
    processes   all of it together, for each role        operators   for one command

Everything else takes what it needs in its constructor; only this room knows which adapter stands behind which port.
"""

from filewright.converter.bootstrap.operators import (
    Console,
    administering,
    database_facts,
    migrate,
    overseeing,
    verify_audit,
)
from filewright.converter.bootstrap.platform import DataDirectoryInUse, Platform
from filewright.converter.bootstrap.processes import Services, build, build_api, build_beat, build_worker, running
from filewright.converter.bootstrap.work import MakeConverter, scanner_of

__all__ = [
    "Console",
    "DataDirectoryInUse",
    "MakeConverter",
    "Platform",
    "Services",
    "administering",
    "build",
    "build_api",
    "build_beat",
    "build_worker",
    "database_facts",
    "migrate",
    "overseeing",
    "running",
    "scanner_of",
    "verify_audit",
]
