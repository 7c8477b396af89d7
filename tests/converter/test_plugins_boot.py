"""A service starts with what engine files bring, and with what is wrong in them left out, unless told to be strict."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from filewright.chassis.web.drain import Drain
from filewright.converter.bootstrap import build
from filewright.converter.formats.catalogue import forget_learned
from filewright.converter.settings import Settings, SettingsError
from filewright.converter.site.serving import application

MUPDF = Path(__file__).parents[2] / "docs" / "how-to" / "engines" / "mupdf.yaml"


@pytest.fixture(autouse=True)
def _no_formats_stay() -> Iterator[None]:
    yield
    forget_learned()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    folder = tmp_path / "engines"
    folder.mkdir(mode=0o755)
    shutil.copy(MUPDF, folder)
    (folder / "broken.yaml").write_text("engine: broken\n")
    return Settings(data_dir=tmp_path / "data", engines_dir=folder, sandbox="limited", slots=1)


async def test_what_a_file_brings_is_offered_by_the_api(settings):
    async with build(settings) as services:
        app = application(services, settings, local=True, drain=Drain())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as http:
            [xps] = [item for item in (await http.get("/v1/formats")).json()["data"] if item["id"] == "xps"]
            assert xps["extensions"] == ["xps", "oxps"]
            assert {"pdf", "docx", "png"} <= set(xps["targets"])
            route = (await http.get("/v1/routes", params={"from": "xps", "to": "png"})).json()
            assert route["route"][0]["engine"] == "mupdf"
            assert route["options"]["dpi"]["maximum"] == 600


async def test_a_strict_service_does_not_start_with_a_broken_file(settings):
    with pytest.raises(SettingsError, match=r"broken\.yaml, line 1: the file: 'program' is missing"):
        async with build(settings.model_copy(update={"engines_strict": True})):
            pass
