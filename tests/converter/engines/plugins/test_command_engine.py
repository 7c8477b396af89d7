"""Engines made of files at work: real programs in the real sandbox, well-behaved ones and others."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from filewright.chassis.sandbox.processes import descendants
from filewright.converter.conversion.options import checked
from filewright.converter.engines.plugins.arguments import written
from filewright.converter.engines.plugins.engine_files import read_engine
from filewright.converter.engines.standard import standard_engines
from filewright.converter.errors import (
    CorruptInput,
    EngineCrashed,
    InvalidOptions,
    OutputInvalid,
    ResourceLimit,
    Timeout,
    TypeMismatch,
    UnsupportedFormat,
)
from filewright.converter.tiers import LOCAL

EXAMPLE = Path(__file__).parents[4] / "docs" / "how-to" / "engines" / "mupdf.yaml"
TWO_PAGES = b"%!PS\n" + b"newpath 72 72 moveto 144 0 rlineto 0 144 rlineto fill showpage\n" * 2
SOON = replace(LOCAL, max_wall_seconds=30)


@pytest.fixture(scope="module")
def xps(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Two pages, made by another program than the one that reads them."""
    made = tmp_path_factory.mktemp("xps") / "two.xps"
    command = ["gs", "-q", "-dBATCH", "-dNOPAUSE", "-sDEVICE=xpswrite", f"-sOutputFile={made}", "-"]
    subprocess.run(command, input=TWO_PAGES, check=True, timeout=60)
    return made.read_bytes()


async def test_a_format_that_nobody_knew_becomes_a_pdf(convert_with, xps):
    done = await convert_with(read_engine(EXAMPLE), data=xps, name="plan.xps", to="pdf")
    [product] = done.products
    assert (done.source_format, product.name, product.pages) == ("xps", "plan.pdf", 2)
    assert done.route[0].engine_version.count(".") >= 1
    told = subprocess.run(["pdfinfo", product.path], capture_output=True, check=True, timeout=60).stdout
    assert b"Pages:           2" in told


async def test_pages_come_in_order_and_as_large_as_the_option_says(convert_with, xps):
    example = read_engine(EXAMPLE)
    done = await convert_with(example, data=xps, name="plan.xps", to="png", options={"dpi": 36})
    assert [product.name for product in done.products] == ["plan-1.png", "plan-2.png"]
    with Image.open(done.products[0].path) as picture:
        assert picture.width == done.products[0].width == pytest.approx(36 * 8.27, abs=3)


async def test_its_formats_are_told_from_others_by_content_and_name(convert_with, xps):
    example = read_engine(EXAMPLE)
    with pytest.raises(CorruptInput):
        await convert_with(example, data=b"\x00\x01\x02 not a zip at all", name="plan.xps", to="pdf")
    with pytest.raises(CorruptInput):
        await convert_with(example, data=xps[: len(xps) // 2], name="plan.xps", to="pdf")
    with pytest.raises(TypeMismatch):
        await convert_with(example, data=b"\x89PNG\r\n\x1a\n" + bytes(100), name="plan.xps", to="pdf")
    with pytest.raises(UnsupportedFormat):
        await convert_with(example, data=xps, name="plan.zip", to="pdf")


async def test_what_a_file_is_called_never_reaches_the_program(convert_with, scripted):
    engine = scripted("import json, sys; json.dump(sys.argv[1:], open(sys.argv[2], 'w'))")
    done = await convert_with(engine, data=b"hello\n", name="-rf $(id); `x`.txt", to="json")
    assert json.loads(done.products[0].path.read_bytes()) == ["in/input.txt", "out/output.json"]


OPTIONS = {
    "title": {"type": "string", "pattern": "[^x]+", "maxLength": 40, "description": "A title"},
    "level": {"type": "integer", "minimum": 0, "maximum": 9, "description": "How much"},
    "width": {"type": "number", "minimum": -2, "maximum": 2, "description": "How wide"},
    "bare": {"type": "boolean", "description": "Without"},
}
ARGUMENTS = [
    "<input>",
    "<output>",
    {"option": "title", "arguments": ["--title=<value>"]},
    {"option": "level", "arguments": ["-l", "<value>"], "otherwise": ["-l", "auto"]},
    {"option": "width", "arguments": ["--width=<value>"]},
    {"option": "bare", "arguments": ["--bare"]},
]
TELL = "import json, sys; json.dump(sys.argv[3:], open(sys.argv[2], 'w'))"


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ({}, ["-l", "auto"]),
        ({"title": "$(touch a); --output=/b '\"*"}, ["--title=$(touch a); --output=/b '\"*", "-l", "auto"]),
        ({"level": 3.0, "bare": True}, ["-l", "3", "--bare"]),
        ({"width": -1e-7, "bare": False}, ["-l", "auto", "--width=-0.0000001"]),
    ],
)
async def test_an_option_is_one_argument_whatever_is_in_it(convert_with, scripted, options, arguments):
    engine = scripted(TELL, options=OPTIONS, arguments=ARGUMENTS)
    done = await convert_with(engine, data=b"hello\n", name="a.txt", to="json", options=options)
    assert json.loads(done.products[0].path.read_bytes()) == arguments


@pytest.mark.parametrize(
    "options",
    [
        {"title": "two\nlines"},
        {"title": "ends\n"},
        {"title": "nul\x00"},
        {"title": "{work}"},
        {"title": "has an x"},
        {"title": "a" * 41},
        {"title": ["-o", "/etc/passwd"]},
        {"level": -1},
        {"level": "3 -o y"},
        {"level": True},
        {"width": float("nan")},
        {"width": float("inf")},
        {"bare": "--output=y"},
        {"input": "/etc/passwd"},
    ],
    ids=str,
)
async def test_an_option_that_would_be_more_than_that_is_refused(convert_with, scripted, options):
    engine = scripted(TELL, options=OPTIONS, arguments=ARGUMENTS)
    with pytest.raises(InvalidOptions):
        await convert_with(engine, data=b"hello\n", name="a.txt", to="json", options=options)


def test_a_pattern_holds_for_the_whole_text(scripted):
    loose = {"type": "string", "pattern": "a|b", "maxLength": 9, "description": "A letter"}
    engine = scripted(TELL, options={"title": loose}, arguments=ARGUMENTS[:3])
    schemas = engine.conversions[0].options
    assert checked(schemas, {"title": "a"}, of="it") == {"title": "a"}
    with pytest.raises(InvalidOptions):
        checked(schemas, {"title": "a --output=b"}, of="it")
    with pytest.raises(InvalidOptions):
        written("title", 1 << 60)


async def test_a_program_that_hangs_is_ended_in_time(convert_with, scripted):
    tier = replace(LOCAL, max_wall_seconds=2)
    with pytest.raises(Timeout):
        await convert_with(scripted("while True: pass"), data=b"x\n", name="a.txt", to="json", tier=tier)


@pytest.mark.parametrize("where", ["elsewhere", "engines"])
async def test_a_program_that_writes_elsewhere_gets_nowhere(convert_with, scripted, folder, tmp_path, where):
    path = (folder if where == "engines" else tmp_path) / "planted.yaml"
    program = f"import sys; open(sys.argv[2], 'w').write('1'); open({str(path)!r}, 'w').write('x')"
    with pytest.raises(OutputInvalid):
        await convert_with(scripted(program), data=b"x\n", name="a.txt", to="json")
    assert not path.exists()


async def test_a_program_reads_nothing_of_this_machine_and_calls_nobody(convert_with, scripted, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    program = f"""
        import json, os, socket, sys
        told = {{}}
        for name, act in {{
            "file": lambda: open({str(secret)!r}).read(),
            "shadow": lambda: open("/etc/shadow").read(),
            "net": lambda: socket.create_connection(("127.0.0.1", 22), 1),
        }}.items():
            try:
                told[name] = repr(act())
            except OSError as error:
                told[name] = "refused"
        told["env"] = sorted(os.environ)
        json.dump(told, open(sys.argv[2], "w"))
    """
    done = await convert_with(scripted(program), data=b"x\n", name="a.txt", to="json")
    told = json.loads(done.products[0].path.read_bytes())
    assert told == {**dict.fromkeys(("file", "shadow", "net"), "refused"), "env": told["env"]}
    assert not [name for name in told["env"] if name not in {"PATH", "HOME", "TMPDIR", "LANG", "TZ", "LC_CTYPE", "PWD"}]


@pytest.mark.parametrize(
    "program",
    [
        "pass",
        "import sys; open(sys.argv[2], 'w')",
        "import os, sys; os.symlink('/etc/passwd', sys.argv[2])",
        "import os, sys; os.mkdir(sys.argv[2])",
        "import os, sys; os.mkfifo(sys.argv[2])",
        "import sys; open(sys.argv[2], 'wb').write(b'\\x89PNG\\r\\n')",
        "import sys; open('out/a', 'w').write('1'); open('out/b', 'w').write('1')",
        "import sys; sys.exit(3)",
        "import sys; open(sys.argv[2], 'w').write('{}'); sys.exit(1)",
    ],
    ids=["nothing", "empty", "link", "folder", "pipe", "other-type", "two-files", "gives-up", "gives-up-after-all"],
)
async def test_what_is_no_result_is_none(convert_with, scripted, program):
    with pytest.raises(OutputInvalid):
        await convert_with(scripted(program), data=b"x\n", name="a.txt", to="json", tier=SOON)


async def test_what_a_program_leaves_running_ends_with_it(convert_with, scripted):
    program = """
        import os, sys, time
        open(sys.argv[2], "w").write("{}")
        for _ in range(5):
            if os.fork() == 0:
                os.setsid()
                time.sleep(600)
    """
    before = set(descendants(os.getpid()))
    done = await convert_with(scripted(program), data=b"x\n", name="a.txt", to="json", tier=SOON)
    assert done.products
    left = [pid for pid in descendants(os.getpid()) if pid not in before and b"setsid" in _command_line(pid)]
    assert left == []


async def test_a_program_that_forks_without_end_is_ended(convert_with, scripted):
    program = "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass"
    with pytest.raises((ResourceLimit, Timeout)):
        tier = replace(LOCAL, max_wall_seconds=3)
        await convert_with(scripted(program), data=b"x\n", name="a.txt", to="json", tier=tier)


async def test_an_exit_status_says_what_the_file_says_it_does(convert_with, scripted):
    engine = scripted("import sys; sys.exit(4)", exits={4: "corrupt_input"})
    with pytest.raises(CorruptInput):
        await convert_with(engine, data=b"x\n", name="a.txt", to="json")


async def test_a_program_that_dies_crashed(convert_with, scripted):
    with pytest.raises(EngineCrashed):
        await convert_with(scripted("import os; os.abort()"), data=b"x\n", name="a.txt", to="json")


async def test_what_a_program_writes_to_stdout_can_be_the_result(convert_with, scripted):
    say = "import json, sys; print(json.dumps(open(sys.argv[1]).read() * 500_000))"
    engine = scripted(say, output="stdout", arguments=["<input>"])
    done = await convert_with(engine, data=b"hello ", name="a.txt", to="json")
    assert json.loads(done.products[0].path.read_bytes()) == "hello " * 500_000
    flood = scripted("while True: print('x' * 60_000)", output="stdout", arguments=["<input>"])
    with pytest.raises(ResourceLimit):
        await convert_with(flood, data=b"hello ", name="a.txt", to="json", tier=SOON)


async def test_the_cheaper_engine_goes_first_and_when_it_fails_another_does_it(convert_with, scripted, tmp_path):
    Image.new("RGB", (9, 7), "red").save(tmp_path / "a.png")
    broken = scripted("import sys; sys.exit(1)", source="png", target="bmp", loss="none")
    data = (tmp_path / "a.png").read_bytes()
    done = await convert_with(*standard_engines(), broken, data=data, name="a.png", to="bmp")
    assert done.fallen_back_from == ("scripted",)
    assert (done.products[0].width, done.products[0].height) == (9, 7)


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
