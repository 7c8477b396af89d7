"""Write the files of deploy/nginx that are made of the rules of a stack's front (src/filewright/stack/templates/front).

With --check nothing is written, and every file must be as it would be.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from filewright.stack.front_files import of_deploy

FOLDER = Path(__file__).resolve().parent.parent / "deploy" / "nginx"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    for name, text in of_deploy().items():
        path = FOLDER / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not check:
            path.write_text(text, encoding="utf-8")
    if check and stale:
        sys.stderr.write(f"deploy/nginx: {', '.join(stale)} not as scripts/front.py makes them\n")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
