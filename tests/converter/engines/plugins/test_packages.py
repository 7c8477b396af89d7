"""Engines that other packages bring by an entry point."""

from __future__ import annotations

import textwrap
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from filewright.converter.engines.plugins.gathering import gather
from filewright.converter.engines.plugins.packages import GROUP, load_engine
from filewright.converter.engines.plugins.problem import PluginError
from filewright.converter.engines.standard import standard_engines
from filewright.converter.errors import CorruptInput, EngineCrashed
from filewright.converter.formats.catalogue import by_filename, learned

GOOD = """
    from filewright.converter.engines.port import Availability, Conversion
    from filewright.converter.errors import CorruptInput
    from filewright.converter.formats.catalogue import Family, Format, Mark

    class Shouting:
        name = "shouting"
        formats = (Format("shout", "Shout", Family.MARKUP, ("shout",), ("text/x-shout",), text=True),)
        conversions = (Conversion("txt", "shout", cost=5), Conversion("shout", "txt", cost=5))

        def check(self):
            return Availability(available=True, version="2")

        async def convert(self, work):
            outcome = await work.command("tr", "a-z", "A-Z", stdin=work.source.read_bytes())
            work.target.write_bytes(outcome.untrusted_stdout)
            return [work.target]

    ENGINE = Shouting()
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request):
    """`installed(source)`: the entry point of a package that is installed with that module."""

    def made(source: str) -> EntryPoint:
        module = f"bringer_{abs(hash(request.node.name))}"
        site = tmp_path / "site"
        about = site / "bringer-1.5.dist-info"
        about.mkdir(parents=True)
        (site / f"{module}.py").write_text(textwrap.dedent(source))
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: bringer\nVersion: 1.5\n")
        (about / "entry_points.txt").write_text(f"[{GROUP}]\nit = {module}:ENGINE\n")
        monkeypatch.syspath_prepend(site)
        return EntryPoint("it", f"{module}:ENGINE", GROUP)

    return made


async def test_an_installed_package_brings_an_engine_and_its_format(installed, convert_with):
    installed(GOOD)
    found = gather()
    assert not found.problems
    assert [engine.name for engine in found.engines[len(standard_engines()) :]] == ["shouting"]
    assert found.engines[-1].origin.startswith("bringer 1.5, entry point 'it'")
    done = await convert_with(found.engines[-1], data=b"hello\n", name="a.txt", to="shout")
    assert (done.products[0].name, done.products[0].path.read_bytes()) == ("a.shout", b"HELLO\n")
    back = await convert_with(found.engines[-1], data=b"HELLO\n", name="a.shout", to="txt")
    assert back.source_format == "shout"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("ENGINE = Shouting()", "raise OSError('no licence')", "it cannot be loaded: OSError: no licence"),
        ("ENGINE = Shouting()", "raise SystemExit(3)", "it cannot be loaded: SystemExit: 3"),
        ("ENGINE = Shouting()", "ENGINES = Shouting()", "it cannot be loaded: AttributeError"),
        ("ENGINE = Shouting()", "ENGINE = Shouting", "give an object, not its class"),
        ('name = "shouting"', 'name = "pandoc"', "there is an engine called 'pandoc' already"),
        ('name = "shouting"', "name = 7", "name: 7 is none"),
        (
            "async def convert",
            "def convert(self, work): ...\n        async def other",
            "convert: this has to be a coroutine",
        ),
        ('Conversion("txt", "shout", cost=5), ', '("txt", "shout"), ', "conversions: give a sequence of `Conversion`"),
        ('Conversion("shout", "txt", cost=5)', 'Conversion("roar", "txt", cost=5)', "there is no format 'roar'"),
        ('("text/x-shout",)', '("text/plain",)', "'text/plain' already means Plain text (txt)"),
        ('("shout",), (', '("html",), (', "'html' already means Web page (html)"),
    ],
)
def test_what_is_wrong_with_it_is_told_and_the_rest_works(installed, old, new, told):
    assert old in GOOD
    installed(GOOD.replace(old, new))
    found = gather()
    assert len(found.engines) == len(standard_engines())
    assert any(told in problem.what and "bringer 1.5" in problem.where for problem in found.problems), found.problems
    assert not learned()


def test_a_format_is_not_kept_of_an_engine_that_is_left_out(installed):
    point = installed(GOOD)
    with pytest.raises(PluginError):
        load_engine(point, taken={"shouting"})
    assert by_filename("a.shout") is None


@pytest.mark.parametrize(
    ("raised", "ends_as"),
    [("KeyError('x')", EngineCrashed), ("CorruptInput()", CorruptInput), ("OSError()", EngineCrashed)],
)
async def test_what_it_raises_becomes_an_error_that_a_job_can_have(installed, convert_with, raised, ends_as):
    engine = load_engine(installed(GOOD.replace("outcome = await", f"raise {raised}; outcome = await")))
    with pytest.raises(ends_as):
        await convert_with(engine, data=b"hello\n", name="a.txt", to="shout")


def test_one_that_cannot_say_whether_it_is_there_is_not(installed):
    engine = load_engine(
        installed(GOOD.replace("return Availability", "raise RuntimeError('no'); return Availability"))
    )
    assert engine.check().missing == "it cannot be asked: RuntimeError: no"
