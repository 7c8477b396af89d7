"""What an engine file may say, and how it is told what it may not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from filewright.converter.engines.plugins.engine_files import read_engine
from filewright.converter.engines.plugins.gathering import gather
from filewright.converter.engines.plugins.problem import PluginError
from filewright.converter.engines.port import Loss
from filewright.converter.engines.standard import standard_engines
from filewright.converter.formats.catalogue import FORMATS, by_filename, by_name, forget_learned, learned
from filewright.converter.routing.planner import Planner

EXAMPLE = Path(__file__).parents[4] / "docs" / "how-to" / "engines" / "mupdf.yaml"

GOOD = """\
engine: tool
program: cat
package: coreutils
conversions:
  - source: txt
    target: md
    cost: 10
    loss: none
    output: stdout
    arguments: [<input>]
"""
WITH_OPTION = """\
engine: tool
program: cat
package: coreutils
conversions:
  - source: txt
    target: md
    cost: 10
    loss: none
    options:
      level:
        {schema}
        description: How much
    arguments:
      - option: level
        arguments: [{argument}]
      - <input>
      - <output>
"""


def mistakes(path: Path, **more) -> list[str]:
    with pytest.raises(PluginError) as error:
        read_engine(path, **more)
    return [str(problem).removeprefix(f"{path}, ") for problem in error.value.problems]


def test_a_file_declares_what_it_can_do_as_any_engine_does(write):
    engine = read_engine(write(GOOD))
    [conversion] = engine.conversions
    assert (engine.name, conversion.source, conversion.target, conversion.cost) == ("tool", "txt", "md", 10)
    assert conversion.loss is Loss.NONE
    assert engine.check().available
    assert engine.check().version[0].isdigit(), "the package's, when the program is not asked"


def test_the_example_in_the_docs_adds_its_formats_to_all_routes():
    engine = read_engine(EXAMPLE)
    assert {item.id for item in learned()} == {"xps", "cbz"}
    assert by_filename("Plan.OXPS") == FORMATS["xps"] == by_name("application/oxps")
    every = [(one.name, conversion) for one in (*standard_engines(), engine) for conversion in one.conversions]
    route = Planner(every).cheapest("xps", "docx")
    assert next(step.engine for step in route.steps) == "mupdf"


def test_a_program_that_is_missing_is_told_with_the_line_that_installs_it(write):
    found = read_engine(write(GOOD.replace("program: cat", "program: no-such-program"))).check()
    assert (found.available, found.missing, found.install) == (False, "no-such-program", "apt-get install coreutils")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("engine: tool", "engine: Tool!", "line 1: engine: String should match"),
        ("program: cat", "program: bash", "line 2: program: an engine file starts one program"),
        ("program: cat", "program: bin/cat", "line 2: program: give its name as it is on the search path"),
        ("program: cat", "programme: cat", "line 2: programme: there is no such field"),
        ("program: cat\n", "", "line 1: the file: 'program' is missing"),
        ("package: coreutils\n", "", "line 1: the file: package: name the Debian package"),
        ("source: txt", "source: text-file", "line 5: source: there is no format 'text-file'"),
        ("target: md", "target: txt", "line 5: txt to txt: a conversion changes the format"),
        ("target: md", "target: [md, md]", "line 5: txt to md stands here a second time"),
        ("cost: 10", "cost: cheap", "line 7: conversions.0.cost: Input should be a valid integer"),
        ("loss: none", "loss: little", "line 8: conversions.0.loss: Input should be 'none', 'small', 'large' or"),
        ("output: stdout", "output: mail", "line 9: conversions.0.output: Input should be"),
        ("    output: stdout\n", "", "line 5: conversions.0: arguments: give one of <folder>, <numbered>, <output>"),
        ("[<input>]", "[-n]", "line 5: conversions.0: arguments: `<input>` is missing"),
        ("[<input>]", "['--from=<input>', <input>]", "line 5: conversions.0: arguments: <input> has to be an argument"),
        ("[<input>]", "[<input>, <title>]", "line 5: conversions.0: arguments: <title> means nothing here"),
        ("[<input>]", "[<input>, <output>]", "line 5: conversions.0: output: what is written to stdout is one file"),
        ("[<input>]", "[<input>, '{work}/x']", "line 10: conversions.0.arguments.1: {work} means something"),
        ("[<input>]", "[<input>, 'a\\n']", None),
        ("[<input>]", '[<input>, "a\\n"]', "line 10: conversions.0.arguments.1: use printable characters only"),
        ("[<input>]", "[<input>, 3]", "line 10: conversions.0.arguments.1: Input should be a valid string"),
        ("cost: 10", "cost: 10\n    cost: 20", "line 8: 'cost' stands here a second time"),
        ("engine: tool", "engine: tool\nreadable: [/etc]", "line 2: readable: /etc: give folders below"),
        ("engine: tool", "engine: tool\nreadable: [/usr/../root]", "line 2: readable: /usr/../root: give folders"),
        ("engine: tool", "engine: tool\nenvironment: {LD_PRELOAD: x}", "line 2: environment: LD_PRELOAD is the sand"),
        ("engine: tool", "engine: tool\nexits: {3: broken}", "line 2: exits: 'broken': use one of archive_bomb,"),
        ("engine: tool", "engine: tool\nversion: {arguments: [-v], pattern: '1.2'}", "line 2: version.pattern: put"),
    ],
)
def test_a_mistake_is_told_with_line_field_and_what_would_be_right(write, old, new, told):
    assert old in GOOD
    path = write(GOOD.replace(old, new))
    if told is None:
        assert read_engine(path)
    else:
        assert any(line.startswith(told) for line in mistakes(path)), mistakes(path)


def test_all_mistakes_are_told_at_once(write):
    text = GOOD.replace("cost: 10", "cost: 0").replace("loss: none", "loss: no").replace("engine: tool", "engine: 7")
    assert [line.split(":")[0] for line in mistakes(write(text))] == ["line 1", "line 7", "line 8"]


@pytest.mark.parametrize(
    ("schema", "argument", "told"),
    [
        ("type: string", "--level=<value>", "text needs `enum`, or `pattern` and `maxLength`"),
        ("type: integer", "--level=<value>", "a number needs `minimum` and `maximum`"),
        ("{type: integer, minimum: -5, maximum: 5}", "<value>", "'level' may begin with `-`"),
        ("{type: string, pattern: '.*', maxLength: 9}", "<value>", "'level' may begin with `-`"),
        ("{type: string, enum: [low, --output=x]}", "<value>", "'level' may begin with `-`"),
        ("{type: string, enum: [low, '@file']}", "<value>", "'level' may begin with `-`"),
        ("{type: boolean}", "<value>", "<value> means nothing here"),
        ("{type: string, pattern: '(', maxLength: 9}", "--level=<value>", "this is no regular expression"),
        ("{type: integer, minimum: 1, maximum: 5, default: 9}", "<value>", "9 is greater than the maximum of 5"),
        ("{type: string, enum: [1, 2]}", "<value>", "1 is not of type 'string'"),
        ("{type: object}", "<value>", "Input should be 'boolean', 'integer', 'number' or 'string'"),
        ("{$ref: 'http://localhost/x', type: boolean}", "-l", "there is no such field"),
    ],
)
def test_an_option_that_could_become_another_argument_is_refused(write, schema, argument, told):
    fields = ", ".join([schema.strip("{}"), "description: How much"])
    text = WITH_OPTION.replace("\n        {schema}\n        description: How much", " {" + fields + "}")
    [line, *_] = mistakes(write(text.replace("{argument}", f"'{argument}'")))
    assert told in line


def test_an_option_that_nothing_uses_is_told(write):
    text = GOOD.replace("    output", "    options: {x: {type: boolean, description: An x}}\n    output")
    assert "nothing in `arguments` uses 'x'" in mistakes(write(text))[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: &a [x]\nb: [*a, *a]\n", "line 2: aliases"),
        ("[" * 5000, "line 1: nothing is nested deeper than 16 levels"),
        ("engine: !!python/object/apply:os.system [id]\n", "line 1: this is not YAML: could not determine a const"),
        ("engine: [\n", "line 2: this is not YAML:"),
        ("engine: 2026-02-30\n", "line 1: this is not YAML:"),
        ("a: 1\n---\nb: 2\n", "line 2: this is not YAML"),
        ("", "line 1: the file: Input should be a valid dictionary"),
        ("- engine\n", "line 1: the file: Input should be a valid dictionary"),
        ("? [a, b]\n: c\n", "line 1: this is not YAML"),
    ],
)
def test_a_hostile_file_is_refused_before_it_costs_anything(write, text, told):
    assert mistakes(write(text))[0].startswith(told), mistakes(write(text))


def test_what_is_no_small_plain_private_file_is_not_read(write, folder, tmp_path):
    os.mkfifo(folder / "pipe.yaml")
    (folder / "device.yaml").symlink_to("/dev/zero")
    (folder / "gone.yaml").symlink_to(folder / "nowhere")
    (folder / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    write("#" * (300 << 10), "huge.yaml")
    write(GOOD, "open.yaml").chmod(0o666)
    told = {Path(one.where).name: one.what for one in gather(folder).problems}
    assert told["pipe.yaml"] == told["device.yaml"] == "this is no plain file"
    assert told["gone.yaml"].startswith("cannot be read: No such file")
    assert told["binary.yaml"].startswith("cannot be read")
    assert "bytes; 262,144 are read at most" in told["huge.yaml"]
    assert told["open.yaml"].startswith("everybody on this machine may change this file")


def test_a_broken_file_keeps_nothing_else_from_working(write, folder):
    write(GOOD, "good.yaml")
    broken = write(GOOD.replace("cost: 10", "cost: cheap").replace("engine: tool", "engine: other"), "broken.yaml")
    write("not an engine file", "notes.txt")
    found = gather(folder)
    assert [engine.name for engine in found.engines] == [*(one.name for one in standard_engines()), "tool"]
    [problem] = found.problems
    assert (problem.where, problem.line) == (str(broken), 7)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    found = gather(tmp_path / "none")
    assert len(found.engines) == len(standard_engines())
    assert "No such file" in found.problems[0].what


def test_no_engine_is_replaced(write, folder):
    write(GOOD.replace("engine: tool", "engine: pandoc"), "a.yaml")
    write(GOOD, "b.yaml")
    write(GOOD, "c.yaml")
    found = gather(folder)
    assert [Path(one.where).name for one in found.problems] == ["a.yaml", "c.yaml"]
    assert all("already" in one.what and one.line == 1 for one in found.problems)
    assert [getattr(engine, "origin", "") for engine in found.engines if engine.name == "pandoc"] == [""]


FORMAT = {
    "id": "xyz", "name": "XYZ", "family": "data", "extensions": ["xyz"], "media_types": ["application/x-xyz"],
    "marks": [{"text": "XYZ1"}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"id": "pdf"}, "'pdf' already means PDF document (pdf)"),
        ({"extensions": ["xyz", "JPG"]}, "'JPG' already means JPEG image (jpg)"),
        ({"media_types": ["image/png"]}, "'image/png' already means PNG image (png)"),
        ({"marks": []}, "say how it is recognised"),
        ({"marks": [{"text": "X"}]}, "give at least 3 bytes"),
        ({"marks": [{"hex": "0x12"}]}, "String should match pattern"),
        ({"marks": [{"text": "XYZ1", "at": 1 << 30}]}, "less than or equal to"),
        ({"extensions": ["../x"]}, "String should match pattern"),
        ({"id": "../x"}, "String should match pattern"),
        ({"family": "thing"}, "Input should be 'document'"),
        ({"media_types": ["text/html\r\nX: y"]}, "String should match pattern"),
    ],
)
def test_a_format_can_not_take_what_is_taken(write, changed, told):
    text = GOOD + yaml.safe_dump({"formats": [{**FORMAT, **changed}]})
    assert any(told in line for line in mistakes(write(text)))
    assert not learned()


def test_the_same_formats_may_come_again(write):
    text = GOOD + yaml.safe_dump({"formats": [FORMAT]})
    read_engine(write(text))
    read_engine(write(text))
    assert [item.id for item in learned()] == ["xyz"]
    forget_learned()
    assert by_name("application/x-xyz") is by_filename("a.xyz") is by_name("xyz") is None
