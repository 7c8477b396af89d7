"""Every kind of engine also works where user namespaces are refused (in most containers) and only Landlock holds."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from filewright.chassis.sandbox.port import Sandbox, SandboxLevel
from filewright.chassis.testing.sandbox import sandbox_of
from filewright.converter.engines.registry import Registry
from filewright.converter.engines.standard import standard_engines

REGISTRY = Registry(standard_engines())
MARKDOWN = b"# Heading\n\nSome words.\n"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sandbox(jobs_dir: Path) -> AsyncIterator[Sandbox]:
    opened = sandbox_of(SandboxLevel.CONFINED, jobs_dir)
    yield opened
    await opened.close()


@pytest.fixture
def sample(tmp_path: Path):
    def make(kind: str) -> bytes:
        path = tmp_path / f"sample.{kind}"
        if kind in {"png", "tiff"}:
            subprocess.run(["convert", "-size", "40x30", "xc:red", str(path)], check=True)
        elif kind in {"wav", "mp4"}:
            graph = "sine=duration=1" if kind == "wav" else "testsrc=size=64x48:rate=10:duration=1"
            subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", graph, str(path)], check=True)
        elif kind == "zip":
            (tmp_path / "a.txt").write_text("a")
            subprocess.run(["7z", "a", str(path), str(tmp_path / "a.txt")], check=True, capture_output=True)
        else:
            path.write_bytes({"csv": b"a,b\n1,2\n", "html": b"<p>Some words.</p>"}.get(kind, MARKDOWN))
        return path.read_bytes()

    return make


@pytest.mark.requirement("S41", "S39")
@pytest.mark.parametrize(
    ("engine", "source", "target"),
    [
        ("pandoc", "md", "html"),
        ("typst", "md", "pdf"),
        ("weasyprint", "html", "pdf"),
        ("pillow", "png", "webp"),
        ("vips", "tiff", "png"),
        ("ffmpeg", "wav", "mp3"),
        ("ffmpeg", "mp4", "webm"),
        ("polars", "csv", "parquet"),
        ("archives", "zip", "tar.gz"),
    ],
)
async def test_an_engine_works_without_namespaces(convert, sample, engine: str, source: str, target: str):
    [product] = await convert(REGISTRY.engine(engine), sample(source), source, target)
    assert product.stat().st_size > 20


def sockets_left_by_offices() -> set[Path]:
    """Those that no running office holds: other tests may be converting at this moment."""
    found = set(Path("/tmp").glob("OSL_PIPE_*"))
    held = Path("/proc/net/unix").read_text()
    return {socket for socket in found if str(socket) not in held and socket.exists()}


@pytest.mark.requirement("S41")
@pytest.mark.parametrize("engine", ["libreoffice", "office2pdf"])
async def test_office_works_without_namespaces_and_leaves_no_socket(convert, engine: str):
    [document] = await convert(REGISTRY.engine("pandoc"), MARKDOWN, "md", "docx")
    [product] = await convert(REGISTRY.engine(engine), document, "docx", "pdf")
    text = subprocess.run(["pdftotext", str(product), "-"], capture_output=True, check=True).stdout.decode()
    assert "Some words." in text
    deadline = time.monotonic() + 10
    while left := sockets_left_by_offices():  # an office that ends lets go of its socket before it removes it
        assert time.monotonic() < deadline, left
        await asyncio.sleep(0.1)


async def test_pages_are_drawn_without_namespaces(convert):
    [pdf] = await convert(REGISTRY.engine("typst"), MARKDOWN, "md", "pdf")
    for engine, target in (("pdfium", "png"), ("poppler", "svg"), ("exactdoc", "docx"), ("poppler", "ps")):
        [product] = await convert(REGISTRY.engine(engine), pdf, "pdf", target)
        assert product.stat().st_size > 20
