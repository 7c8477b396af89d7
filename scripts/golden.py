"""Keep how the first pages of the corpus' office documents look now, as tests/corpus/golden.json.

FILEWRIGHT_CORPUS names the folder with the corpus. To see first what another version of an engine makes of it:
`filewright engines compare`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT / "tests")  # in place of scripts/

from corpus.bench import open_bench  # noqa: E402
from corpus.cases import from_corpus  # noqa: E402
from corpus.golden import OFFICE, STORED, pages_of  # noqa: E402


def main() -> int:
    folder = os.environ.get("FILEWRIGHT_CORPUS")
    if not folder:
        print("FILEWRIGHT_CORPUS must name the folder with the corpus and its manifest.json.", file=sys.stderr)
        return 2
    found = asyncio.run(looks(Path(folder)))
    lines = (f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in sorted(found.items()))
    STORED.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{len(found)} documents")
    return 0


async def looks(folder: Path) -> Mapping[str, Mapping[str, Any]]:
    """By file: `pages`, and the `first` of them."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="filewright-golden-") as scratch:
        async with open_bench(Path(scratch)) as bench:
            for case in from_corpus(folder):
                if case.family not in OFFICE or case.refused_for:
                    continue
                async with bench.converting(case.place(folder), case.filename, "pdf") as ending:
                    if not ending.converted:
                        print(f"{case.name}: {ending.code} {ending.detail}", file=sys.stderr)
                        continue
                    pages, first = await asyncio.to_thread(pages_of, ending.products[0])
                    found[case.name] = {"pages": pages, "first": first}
    return found


if __name__ == "__main__":
    sys.exit(main())
