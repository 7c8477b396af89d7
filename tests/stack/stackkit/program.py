"""A program in the product's place, which says what reached it: `program.py api PORT | worker | migrate | broken`."""

from __future__ import annotations

import asyncio
import gzip
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

ARRIVED: dict[str, int] = {}
ASKED: Counter[str] = Counter()
LONG = {"text": "the quick brown fox " * 500}


async def who(request: Request) -> Response:
    await asyncio.sleep(float(request.query_params.get("seconds", "0")))
    return JSONResponse({"pid": os.getpid(), "headers": dict(request.headers)})


async def upload(request: Request) -> Response:
    name = request.path_params["name"]
    async for chunk in request.stream():
        ARRIVED[name] = ARRIVED.get(name, 0) + len(chunk)
        Path(os.environ["FILEWRIGHT_DATA_DIR"], name).write_text(str(ARRIVED[name]))
    return PlainTextResponse(str(ARRIVED[name]))


async def events(_: Request) -> Response:
    async def stream() -> AsyncIterator[bytes]:
        yield b"data: first\n\n"
        await asyncio.Event().wait()

    return StreamingResponse(stream(), media_type="text/event-stream")


async def long_json(request: Request) -> Response:
    """For a second the same for everybody, and when nobody answers for as long as it takes."""
    headers = {"Cache-Control": "public, max-age=0, s-maxage=1, stale-if-error=600", "ETag": '"one"'}
    ASKED["formats"] += 1
    if '"one"' in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return JSONResponse({**LONG, "who": request.headers.get("authorization", "")}, headers=headers)


async def static(request: Request) -> Response:
    """For ever the same. What is `of-api-2` is of a version that only that process has."""
    name = request.path_params["name"]
    if name.startswith("of-api-2") and not os.environ["FILEWRIGHT_DATA_DIR"].endswith("api-2"):
        return Response(status_code=404)
    ASKED[name] += 1
    return Response(
        b"let letters = 'the same letters';\n" * 100,
        media_type="text/javascript",
        headers={
            "Cache-Control": "public, max-age=31536000, immutable",
            "Vary": "Accept-Encoding",
            "X-Asked": f"{os.getpid()}-{ASKED[name]}",
            "X-Coding": request.headers.get("accept-encoding", ""),
        },
    )


async def asked(_: Request) -> Response:
    return JSONResponse({"pid": os.getpid(), **ASKED})


async def output(_: Request) -> Response:
    return Response(gzip.compress(b"not touched") + b"x" * 5000, media_type="text/html", headers={"ETag": '"strong"'})


async def ready(_: Request) -> Response:
    return PlainTextResponse("ready")


def api(port: int) -> None:
    app = Starlette(
        routes=[
            Route("/readyz", ready),
            Route("/who", who, methods=["GET", "POST"]),
            Route("/v1/uploads/{name}", upload, methods=["PUT", "PATCH"]),
            Route("/v1/jobs/{id}/events", events),
            Route("/v1/jobs/{id}/outputs/0", output),
            Route("/v1/formats", long_json),
            Route("/v1/long", long_json),
            Route("/static/{name:path}", static),
            Route("/asked", asked),
        ]
    )
    uvicorn.run(app, port=port, log_level="warning", timeout_keep_alive=15, timeout_graceful_shutdown=10)


def worker() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print("working", os.environ["FILEWRIGHT_SLOTS"], flush=True)
    while True:
        signal.pause()


async def migrate() -> None:
    connection = await asyncpg.connect(os.environ["FILEWRIGHT_DATABASE_URL"], ssl=False)
    await connection.execute("CREATE TABLE IF NOT EXISTS migrated (at timestamptz)")
    await connection.execute("INSERT INTO migrated VALUES (now())")
    await connection.close()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["api", port]:
            api(int(port))
        case ["worker"]:
            worker()
        case ["migrate"]:
            asyncio.run(migrate())
        case ["broken"]:
            sys.exit("it lacks a frobnicator")
