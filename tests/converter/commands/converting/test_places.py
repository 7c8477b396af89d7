from __future__ import annotations

from pathlib import Path

import pytest

from filewright.converter.commands.converting.places import (
    Request,
    destinations,
    place,
    refuse_to_overwrite,
    understand,
)
from filewright.converter.commands.converting.typed import pairs, typed
from filewright.converter.commands.exits import UsageProblem


def test_arguments_mean_what_the_manual_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("out").mkdir()
    assert understand(["a.docx", "b.pdf"], None) == Request(("a.docx",), "pdf", file=Path("b.pdf"))
    assert understand(["a.docx"], "pdf") == Request(("a.docx",), "pdf")
    assert understand(["a.docx", "b"], "pdf") == Request(("a.docx",), "pdf", file=Path("b"))
    assert understand(["a", "b", "out"], "pdf") == Request(("a", "b"), "pdf", directory=Path("out"))
    assert understand(["-"], "pdf") == Request(("-",), "pdf", to_stdout=True)
    assert understand(["a.docx", "-"], "pdf") == Request(("a.docx",), "pdf", to_stdout=True)
    assert understand(["-", "b.pdf"], None) == Request(("-",), "pdf", file=Path("b.pdf"))
    assert understand(["a", "x.tar.gz"], None).to == "tar.gz"


@pytest.mark.parametrize(
    ("paths", "to"),
    [(["a.docx"], None), (["a", "b", "c.pdf"], None), (["a", "b", "nowhere"], "pdf"), (["a", "-"], None)],
)
def test_arguments_that_could_mean_two_things_are_refused(paths: list[str], to: str | None) -> None:
    with pytest.raises(UsageProblem):
        understand(paths, to)


def test_several_results_for_one_named_file_are_numbered() -> None:
    request = Request(("a.pdf",), "png", file=Path("out/page.png"))
    names = [f"a-{n}.png" for n in range(10)]
    assert destinations(request, "a.pdf", names)[0] == Path("out/page-01.png")
    assert destinations(Request(("x/a.pdf",), "png"), "x/a.pdf", ["a.png"]) == [Path("x/a.png")]


def test_all_results_appear_or_none(tmp_path: Path) -> None:
    products = [tmp_path / "p1", tmp_path / "p2"]
    for product in products:
        product.write_text("new")
    out = tmp_path / "out"
    out.mkdir()
    (out / "two").write_text("old")
    with pytest.raises(UsageProblem):
        place(products, [out / "one", out / "two"], force=False)
    assert sorted(path.name for path in out.iterdir()) == ["two"]
    assert (out / "two").read_text() == "old"
    place(products, [out / "one", out / "two"], force=True)
    assert {path.name: path.read_text() for path in out.iterdir()} == {"one": "new", "two": "new"}


def test_the_source_itself_is_never_overwritten(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    source.write_text("x")
    for force in (False, True):
        with pytest.raises(UsageProblem):
            refuse_to_overwrite([source], [str(source)], force=force)


def test_settings_take_the_type_that_the_schema_says() -> None:
    schemas = {
        "quality": {"type": "integer"},
        "scale": {"type": "number"},
        "tagged": {"type": "boolean"},
        "pages": {"type": "string"},
        "names": {"type": "array"},
        "width": {"type": ["integer", "null"]},
        "part": {"enum": [1, 2]},
    }
    given = pairs(["quality=80", "scale=0.5", "tagged=yes", "pages=3", "names=a,b", "width=null", "part=2", "new=1=2"])
    assert typed(given, schemas) == {
        "quality": 80,
        "scale": 0.5,
        "tagged": True,
        "pages": "3",
        "names": ["a", "b"],
        "width": None,
        "part": 2,
        "new": "1=2",
    }
    assert typed({"quality": "high"}, schemas) == {"quality": "high"}
    with pytest.raises(UsageProblem):
        pairs(["no-equals"])
