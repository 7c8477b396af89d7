"""Take the pictures that the page's tests made (`.run/page/`) into docs/page/, and write docs/page.md around them.

Run the tests of `tests/e2e/page/whole` first. A state that they did not visit keeps the picture it has; exits 1 when
there is none.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
MADE = ROOT / ".run" / "page"
KEPT = ROOT / "docs" / "page"
NOTE = "<!-- Made by scripts/page_pictures.py from pictures that the tests take; edit it there. -->\n\n"
QUALITY = 78
WIDEST = 1100

SECTIONS: dict[str, dict[str, str]] = {
    "Files in": {
        "empty": "Nothing here yet: one line on what it does, and where files live until they are deleted.",
        "dropping": "Files hover over the window: all of it takes them.",
        "ready": "Each row says what its file is, from its content, and what it mostly becomes; one key starts all.",
        "uploading": "On the way, counted in bytes.",
    },
    "The choice": {
        "chooser": "Usual targets first, then every other by family; below, what the way does to the file.",
        "chooser-search": "What people say is understood, and what cannot be had says why.",
        "chooser-refused": "A picture holds no sound.",
        "options": "What can be said about a way, with its units and limits; nothing that does not matter.",
    },
    "Work": {
        "working": "The engine's own progress, the place in the queue, and time left that does not jump.",
        "offline": "Without a connection everything waits, says so, and goes on by itself.",
        "cancelled": "Stopped, and one key away from going on.",
        "failed": "What failed, why, and what to do: a password where it is missing, another target, the real format.",
    },
    "Results": {
        "done": "Sizes before and after, a look at each result, one file or all.",
        "preview-picture": "A picture, with what it was before under the same slider.",
        "preview-pages": "Pages as pictures, whatever the document is.",
        "preview-table": "The first rows of a table.",
        "preview-text": "The first lines of a text; of mark-up, the mark-up: nothing of a result runs.",
        "preview-sound": "Sound.",
        "preview-film": "Film.",
        "curl": "The same as a command, to take along.",
    },
    "Accounts": {
        "account-sign-in": "Where people have accounts, `/account` is theirs; on one's own machine nobody needs one.",
        "account-refused": "A refusal stands where it belongs; nobody learns from it who has an account.",
        "account-home": "Keys, use, invoices, webhooks, sessions; all of it can be exported, and erased.",
        "account-key": "An API key, this once, and a command that makes a PDF with it as pasted.",
        "account-revoke": "What cannot be undone is asked about.",
        "account-erase": "An erasure says what will happen, and asks for the address of the account.",
        "account-erased": "Its certificate; the address of the page can be kept.",
        "signed-in": "Whoever is signed in converts as that account on the page for files, too.",
        "account-narrow": "The same in a window of 320 pixels.",
        "account-de": "In German.",
    },
    "Operators": {
        "admin-overview": "`/admin`, for operators only: what succeeds, what people think of it, whether all is there.",
        "admin-users": "Accounts: found, given another tier or credits, shut and opened again.",
        "admin-quarantine": "Jobs whose files are kept from the engines: looked at, released or deleted.",
        "admin-flags": "Flags, with their share of the tenants and the failures that halt them.",
        "admin-audit": "The audit log, by action, actor, subject or tenant.",
        "admin-narrow": "In a window of 320 pixels tables are moved sideways in frames of their own.",
    },
    "Everybody": {
        "narrow": "A window of 320 pixels.",
        "narrow-chooser": "The choice in a narrow window rests at its lower edge.",
        "narrow-preview": "A result in a narrow window.",
        "zoomed": "Everything twice as large.",
        "de": "German; Spanish, French and Turkish are there, too.",
        "qps-rtl": "A made-up language that is longer and runs from right to left, to see that others can be added.",
        "no-script": "Without scripts it is a form that posts to the same API.",
        "no-script-done": "Its answer.",
        "no-script-refused": "Its refusal.",
    },
}
LEAD = """# The page

What a person sees at `/`, in every state, in light and in dark. The pictures are taken by the tests that walk through
these states ([`tests/e2e/page/whole`](../tests/e2e/page/whole)) against a real server with its real engines; in each of
them axe-core has found nothing that keeps anybody out.

The page is static files: one style sheet and native modules, no framework, no build step, nothing from another host,
and nothing but the public API. State lives in one place (`queue.js`); what is to be seen follows from it (`row.js`).
Every text is in `texts/en.js`; a language is one more file beside it, in which every key must be found. The account
page (`account/`) is modules, texts and a small sheet of its own, so that the page for files carries none of it; so is
the operators' page (`admin/`), which is in English only, as settings, logs and the command line are.

| what | wanted | measured by |
|---|---|---|
| own code sent for a visit, compressed | 60 kB at most | `test_lightness.py` |
| movement of anything while rows change | none | `test_lightness.py` |
| requests to another host, in any flow | none | each visit of the tests |
| key presses from a drop to a finished small conversion | 2 at most | `test_ways.py` |
| rows that nobody sees, touched while they get on | none | `test_frames.py` |
| how often what gets on is drawn, whatever is told of it | 4 times a second | `test_frames.py` |
"""
FIGURES = """## How fast

As `benchmarks/page.py` found it ({machine}; {browser}, without graphics hardware;
load of the machine when each part began: {loads}).

| what | wanted | found |
|---|---|---|
| first paint, cold | 1 s | {start[first_paint_ms]} ms |
| usable, cold | 1.5 s | {start[interactive_ms]} ms |
| from a drop to a row that says what the file is | 300 ms | {start[drop_ms]} ms |

Frames while {elsewhere[rows]} rows are at work. A frame has 16.7 ms. Its cost is time of the page's main thread on a
processor, which changes less with what else the machine does than whether it comes in time. The machine had much else
to do, at a lower priority than the browser and the service.

| {elsewhere[rows]} rows at work | all at once, elsewhere | by engines on the same processors |
|---|---|---|
| news of jobs a second | {elsewhere[news_a_second]} | {here[news_a_second]} |
| main thread a frame | {elsewhere[main_thread_cpu_ms_per_frame]} ms | {here[main_thread_cpu_ms_per_frame]} ms |
| the costliest of a hundred (traced) | {elsewhere[traced_99th_percentile_ms]} ms | |
| layouts a second | {elsewhere[layouts_a_second]} | {here[layouts_a_second]} |
| frames a second | {elsewhere[frames_a_second]} | {here[frames_a_second]} |
| frames in time | {elsewhere[frames_in_time_percent]} % | {here[frames_in_time_percent]} % |
"""


def main() -> int:
    KEPT.mkdir(parents=True, exist_ok=True)
    lines = [LEAD, figures()]
    missing = []
    for title, states in SECTIONS.items():
        lines += [f"## {title}\n"]
        for name, sentence in states.items():
            for scheme in ("light", "dark"):
                source = MADE / f"{name}-{scheme}.png"
                place = KEPT / f"{name}-{scheme}.webp"
                if source.exists():
                    keep(source, place)
                elif not place.exists():
                    missing.append(source.name)
            shown = " ".join(f"![{name}, {scheme}](page/{name}-{scheme}.webp)" for scheme in ("light", "dark"))
            lines += [f"{sentence}\n", f"{shown}\n"]
    if missing:
        print(f"no picture of {', '.join(missing)}: run the tests of tests/e2e/page/whole", file=sys.stderr)
        return 1
    (ROOT / "docs" / "page.md").write_text(NOTE + "\n".join(lines), encoding="utf-8")
    size = sum(path.stat().st_size for path in KEPT.iterdir())
    print(f"{len(list(KEPT.iterdir()))} pictures, {size / 1000:.0f} kB")
    return 0


def figures() -> str:
    found = json.loads((ROOT / "benchmarks" / "page.json").read_text(encoding="utf-8"))
    loads = ", ".join(str(found[name]["load_at_start"]) for name in ("start", "elsewhere", "here"))
    return FIGURES.format(**found, loads=loads)


def keep(source: Path, place: Path) -> None:
    """Small: nobody counts pixels in a documentation."""
    with Image.open(source) as picture:
        shown = picture.convert("RGB")
        if shown.width > WIDEST:
            shown = shown.resize((WIDEST, shown.height * WIDEST // shown.width), Image.Resampling.LANCZOS)
        shown.save(place, "WEBP", quality=QUALITY, method=6)


if __name__ == "__main__":
    sys.exit(main())
