"""Write the generated pages of docs/, or with --check fail when one is stale."""

from __future__ import annotations

import argparse
import sys
import textwrap
from pathlib import Path
from typing import Any

import typer

ROOT = Path(__file__).resolve().parent.parent
NOTE = "<!-- Made by scripts/docs.py; edit the code it is made from. -->\n\n"


def settings_page() -> str:
    from filewright.converter.settings import PREFIX, Settings

    lines = [
        "# Settings",
        "",
        "Set as environment variables, or as `NAME=value` lines in a file named by `FILEWRIGHT_CONFIG`. A setting that",
        "is wrong or misspelt stops the program with a sentence that says what would be right.",
        "",
        "| setting | default | meaning |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = "" if field.default_factory or field.default in (None, "", ()) else f"`{field.default}`"
        lines.append(f"| `{PREFIX}{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def cli_page() -> str:
    from filewright.cli import application

    lines = ["# Command line", ""]
    _describe(typer.main.get_command(application()), "filewright", lines)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _describe(command: Any, path: str, lines: list[str]) -> None:
    lines += [f"## `{path}`", "", _text(command.help), ""]
    rows = [row for row in map(_parameter, command.params) if row]
    if rows:
        lines += ["| argument or option | default | meaning |", "|---|---|---|", *rows, ""]
    if command.epilog:
        lines += [_text(command.epilog), ""]
    for name, child in getattr(command, "commands", {}).items():
        if not child.hidden:
            _describe(child, f"{path} {name}", lines)


def _text(text: str | None) -> str:
    """A help text as Markdown: blocks marked as preformatted become code blocks."""
    blocks = []
    for block in (text or "").strip().split("\n\n"):
        kept = block.strip("\n")
        if kept.startswith("\b"):
            kept = "```text\n" + textwrap.dedent(kept.removeprefix("\b").strip("\n")) + "\n```"
        blocks.append(kept)
    return "\n\n".join(blocks)


def _parameter(parameter: Any) -> str:
    if parameter.name in {"help", "install_completion", "show_completion"}:
        return ""
    names = [f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts) if name.startswith("-")]
    shown = ", ".join(names) or f"`{(parameter.metavar or parameter.name).upper()}`"
    default = parameter.default
    given = "" if default in (None, False, (), [], "") or callable(default) else f"`{default}`"
    meaning = " ".join((getattr(parameter, "help", None) or "").split()).replace("|", "\\|")
    return f"| {shown} | {given} | {meaning} |"


def job_states_page() -> str:
    from filewright.converter.jobs.states_doc import markdown

    return markdown()


def problems_page() -> str:
    import filewright.converter.errors
    from filewright.chassis.errors import ProblemError

    lines = [
        "# Problem codes",
        "",
        "Every error of the API is an RFC 9457 problem with one of these codes; a failed job carries the same object",
        "in `error`. The command line ends with the exit code.",
        "",
        "| code | HTTP status | exit code | can a retry help | meaning |",
        "|---|---|---|---|---|",
    ]
    import filewright.chassis.egress.errors
    import filewright.chassis.web.problems  # noqa: F401

    kinds = {kind.code: kind for kind in _descendants(ProblemError) if "code" in vars(kind)}
    for code, kind in sorted(kinds.items()):
        retry = "yes" if kind.retryable else "no"
        lines.append(f"| `{code}` | {kind.status} | {getattr(kind, 'exit_code', 1)} | {retry} | {kind.title} |")
    return "\n".join(lines) + "\n"


def _descendants(kind: type) -> list[type]:
    return [kind, *(item for child in kind.__subclasses__() for item in _descendants(child))]


def acts_page() -> str:
    import filewright.converter.bootstrap
    import filewright.converter.site.app  # noqa: F401
    from filewright.chassis.audit.acts import REGISTERED
    from filewright.chassis.audit.alarms import PATTERNS

    lines = [
        "# What is written in the audit log, and what raises an alarm",
        "",
        "How both work: [security](security.md#the-audit-log).",
        "",
        "## Acts",
        "",
        "| act | what happened | counts towards |",
        "|---|---|---|",
    ]
    for name, act in sorted(REGISTERED.items()):
        patterns = ", ".join(f"`{pattern}`" for pattern in (act.by_actor, act.by_subject) if pattern)
        lines.append(f"| `{name}` | {act.what} | {patterns} |")
    lines += [
        "",
        "## Alarms",
        "",
        "Change them with `FILEWRIGHT_ALARMS`, as `login_failed=20/600,enumeration=off`.",
        "",
        "| pattern | what | times | within seconds |",
        "|---|---|---|---|",
    ]
    for name, pattern in PATTERNS.items():
        lines.append(f"| `{name}` | {pattern.what} | {pattern.times} | {pattern.seconds:.0f} |")
    return "\n".join(lines) + "\n"


PAGES = {
    "acts.md": acts_page,
    "settings.md": settings_page,
    "cli.md": cli_page,
    "job-states.md": job_states_page,
    "problems.md": problems_page,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when a page is stale")
    check = parser.parse_args().check
    stale = []
    for name, make in PAGES.items():
        page, text = ROOT / "docs" / name, NOTE + make()
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not check:
                page.write_text(text, encoding="utf-8")
    if stale and check:
        print(f"stale pages in docs/: {', '.join(stale)}. Run scripts/fix.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
