"""Whether time tells what answers do not: pairs of requests that must take the same time, asked in turns.

    .venv/bin/python benchmarks/timing.py [--pairs 1000] [--logins 200]

A service as people run it is asked over HTTP. Of each pair, the order is drawn; told are both medians, what lies
between them, and the p of Mann and Whitney: how likely so large a difference of ranks is where there is none. A small p
with a gap far below what a network adds is no oracle; a gap is. At the end, how long others wait while many sign in.
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import secrets
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from product import Product

PASSWORD = "four words nobody says"
PROBES = 300
WARM = 20
"""Pairs that are not counted: what is asked for the first time takes longer."""


class Caller:
    """One connection, and who somebody says they are."""

    def __init__(self, url: str, bearer: str = "") -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
        self._headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        kind = {} if body is None else {"Content-Type": "application/json"}
        self._connection.request(method, path, data, {**self._headers, **kind})
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def json(self, method: str, path: str, body: object = None) -> dict[str, object]:
        status, content = self.ask(method, path, body)
        if status >= 400:
            raise RuntimeError(f"{method} {path}: {status} {content[:300]!r}")
        return json.loads(content or b"{}")

    def seconds(self, method: str, path: str, body: object = None) -> float:
        began = time.perf_counter()
        self.ask(method, path, body)
        return time.perf_counter() - began


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--pairs", type=int, default=1000)
    options.add_argument("--logins", type=int, default=200)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, Product(Path(folder) / "data") as product:
        url = product.url
        owner, other = somebody(url), somebody(url)
        groups = (  # each connects when its turn comes: the service ends connections that nobody uses
            lambda: of_things(url, owner, other),
            lambda: of_secrets(url, owner),
            lambda: of_accounts(url),
        )
        figures = {name: compared(pair, chosen.pairs) for group in groups for name, pair in group().items()}
        figures["signing in beside"] = beside(url, chosen.logins)
    json.dump(figures, sys.stdout, indent=2)


def somebody(url: str) -> str:
    """The access token of a new account."""
    known = {"email": f"{secrets.token_hex(8)}@example.org", "password": PASSWORD}
    caller = Caller(url)
    caller.json("POST", "/v1/auth/register", known)
    return str(caller.json("POST", "/v1/auth/login", known)["access_token"])


Pair = tuple[Callable[[], float], Callable[[], float]]


def of_things(url: str, owner: str, other: str) -> dict[str, Pair]:
    """S2: what is another's, and what never was."""
    hers, his = Caller(url, owner), Caller(url, other)
    content = b"# hers\n"
    upload = str(hers.json("POST", "/v1/uploads", {"filename": "a.md", "bytes": len(content)})["id"])
    hers.ask("PUT", f"/v1/uploads/{upload}", content)
    hers.json("POST", f"/v1/uploads/{upload}/complete")
    job = str(hers.json("POST", "/v1/jobs", {"inputs": [{"upload": upload}], "to": "html"})["id"])
    while hers.json("GET", f"/v1/jobs/{job}?wait=30")["status"] in {"queued", "running"}:
        pass

    def pair(method: str, path: str, thing: str) -> Pair:
        def never() -> str:
            return f"{thing[:6]}{''.join(secrets.choice('0123456789abcdefghjkmnpqrstvwxyz') for _ in thing[6:])}"

        def asked(name: str, _: str) -> float:
            return his.seconds(method, path.format(name))

        # A name that never was is made for both: the pause before a question tells in the time of its answer.
        return (lambda: asked(thing, never())), (lambda: asked(never(), thing))

    return {
        "a job": pair("GET", "/v1/jobs/{}", job),
        "a result": pair("GET", "/v1/jobs/{}/outputs/0", job),
        "an upload": pair("GET", "/v1/uploads/{}", upload),
    }


def of_secrets(url: str, token: str) -> dict[str, Pair]:
    """S10: a signature that is wrong in its first character, and one in its last but one."""
    head, _, signature = token.rpartition(".")

    def with_wrong(at: int) -> Caller:
        wrong = "A" if signature[at] != "A" else "B"
        return Caller(url, f"{head}.{signature[:at]}{wrong}{signature[at + 1 :]}")

    first, last = with_wrong(0), with_wrong(len(signature) - 2)
    return {"a signature": (lambda: first.seconds("GET", "/v1/me"), lambda: last.seconds("GET", "/v1/me"))}


def of_accounts(url: str) -> dict[str, Pair]:
    """S9: an address with an account, and one without."""
    known = f"{secrets.token_hex(8)}@example.org"
    caller = Caller(url)
    caller.json("POST", "/v1/auth/register", {"email": known, "password": PASSWORD})

    def tried(email: str) -> float:
        return caller.seconds("POST", "/v1/auth/login", {"email": email, "password": "not " + PASSWORD})

    return {"an account": (lambda: tried(known), lambda: tried(f"{secrets.token_hex(8)}@example.org"))}


def compared(pair: Pair, count: int) -> dict[str, float]:
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(WARM):
        pair[0]()
        pair[1]()
    for _ in range(count):
        first = secrets.randbelow(2)
        for which in (first, 1 - first):
            taken[which].append(1000 * pair[which]())
    medians = [statistics.median(times) for times in taken]
    return {
        "pairs": count,
        "there_ms": round(medians[0], 3),
        "not_there_ms": round(medians[1], 3),
        "gap_ms": round(abs(medians[0] - medians[1]), 3),
        "p": round(mann_whitney(*taken), 4),
    }


def mann_whitney(one: list[float], other: list[float]) -> float:
    """Two-sided, by the normal approximation, which is exact enough for hundreds; ties are as good as absent."""
    ranked = sorted([(value, 0) for value in one] + [(value, 1) for value in other])
    ranks = sum(rank for rank, (_, which) in enumerate(ranked, 1) if which == 0)
    n, m = len(one), len(other)
    u = ranks - n * (n + 1) / 2
    deviation = math.sqrt(n * m * (n + m + 1) / 12)
    return math.erfc(abs(u - n * m / 2) / deviation / math.sqrt(2))


def beside(url: str, logins: int) -> dict[str, float]:
    """S8: what others wait for `GET /v1/formats?from=md` while so many try to sign in at once."""

    def p95() -> float:
        caller = Caller(url)
        times = sorted(caller.seconds("GET", "/v1/formats?from=md") for _ in range(PROBES))
        return round(1000 * times[int(0.95 * PROBES)], 2)

    alone = p95()
    outcomes: list[int] = []

    def sign_in() -> None:
        tried = {"email": f"{secrets.token_hex(8)}@example.org", "password": PASSWORD}
        outcomes.append(Caller(url).ask("POST", "/v1/auth/login", tried)[0])

    threads = [threading.Thread(target=sign_in) for _ in range(logins)]
    for thread in threads:
        thread.start()
    meanwhile = p95()
    for thread in threads:
        thread.join()
    return {
        "logins": logins,
        "answered_401": outcomes.count(401),
        "told_to_come_back": len(outcomes) - outcomes.count(401),
        "p95_alone_ms": alone,
        "p95_meanwhile_ms": meanwhile,
    }


if __name__ == "__main__":
    main()
