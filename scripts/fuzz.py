"""Walk through the whole API for some minutes, as no client would, against a real service with all its parts on.

    scripts/fuzz.py --minutes 5                 embedded, with encryption, accounts, mail, webhooks, a virus scanner
    scripts/fuzz.py --minutes 5 --url https://… --operator name@host    one that is there; its password is asked for

schemathesis reads the service's document and makes walks of it: what one answer names is what the next request is
about (an upload, the job that it is for, that job's outputs, their end). Half of the minutes it is an operator, half an
account like any other. Ends with 1 when an answer was a 5xx or not as the document says.
"""

from __future__ import annotations

import argparse
import base64
import getpass
import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OWN = (
    "account:read,account:write,jobs:read,jobs:write,uploads:write,keys:read,keys:write,webhooks:read,webhooks:write,"
    "fonts:read,fonts:write"
)
ROLES = {"admin": f"{OWN},admin", "user": OWN}
ENDLESS = "/metrics|/v1/jobs/events"
"""A stream without an end is no answer to wait for, and the metrics are no JSON."""
CONFIG = """
hooks = "fuzz_hooks.py"
[phases.stateful.inference]
algorithms = ["location-headers", "dependency-analysis"]
[[operations]]
include-path-regex = "^/v1/jobs/"
checks.use_after_free.enabled = false
"""
"""A job that was deleted is shown as `expired` for a month: it is not gone, its files are."""


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--minutes", type=float, default=5)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--roles", default="admin,user")
    options.add_argument("--url")
    options.add_argument("--operator", help="e-mail address of an operator's account there")
    chosen = options.parse_args()
    roles = chosen.roles.split(",")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the service is taken down then, too
    with tempfile.TemporaryDirectory(prefix="filewright-fuzz-") as name:
        folder = Path(name)
        if chosen.url:
            operator = f"{chosen.operator}\n{getpass.getpass()}" if chosen.operator else ""
            return walks(chosen.url, operator, roles, chosen, folder)
        with service(folder) as (url, operator):
            return walks(url, operator, roles, chosen, folder)


def walks(url: str, operator: str, roles: list[str], chosen: argparse.Namespace, folder: Path) -> int:
    """Those of each role, one role after the other."""
    (folder / "schemathesis.toml").write_text(CONFIG)
    (folder / "fuzz_hooks.py").write_text((ROOT / "scripts" / "fuzz_hooks.py").read_text())
    worst = 0
    for role in roles:
        print(f"--- {role}", flush=True)
        command = [
            sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run",
            f"{url}/openapi.json", "--phases", "stateful",
            "--checks", "all", "--exclude-checks", "positive_data_acceptance,ignored_auth",
            "--max-time", str(max(1, round(60 * chosen.minutes / len(roles)))), "--seed", str(chosen.seed),
            "--exclude-path-regex", ENDLESS, "--request-timeout", "60", "--continue-on-failure",
            "--generation-database", "none", "--no-color",
        ]  # fmt: skip
        if role == "admin":
            command += ["--exclude-operation-id", "erase_account"]  # nobody lets an operator in again
        who = {"FUZZ_URL": url, "FUZZ_SCOPES": ROLES[role], "FUZZ_ACCOUNT": operator if role == "admin" else ""}
        worst = max(worst, subprocess.run(command, cwd=folder, env={**os.environ, **who}, check=False).returncode)
    return worst


@contextmanager
def service(folder: Path) -> Iterator[tuple[str, str]]:
    """`filewright serve` with everything on, and an operator's account there."""
    with scanner() as clamd:
        master, secret = folder / "master.key", folder / "secret.key"
        for path in (master, secret):
            path.write_bytes(base64.b64encode(os.urandom(48)) + b"\n")
            path.chmod(0o600)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("FILEWRIGHT_")},
            "FILEWRIGHT_DATA_DIR": str(folder / "data"),
            "FILEWRIGHT_MASTER_KEY_FILE": str(master),
            "FILEWRIGHT_SECRET_KEY_FILE": str(secret),
            "FILEWRIGHT_UNLIMITED_NETWORKS": "127.0.0.0/8",
            "FILEWRIGHT_REQUEST_LOG_DAYS": "1",
            **clamd,
        }
        log = folder / "log"
        command = [sys.executable, "-m", "filewright", "serve", "--port", "0"]
        with (
            log.open("w") as said,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True, env=environment) as process,
        ):
            try:
                assert process.stdout is not None
                found = re.search(r"http://[\d.:]+", process.stdout.readline())
                if found is None:
                    raise SystemExit(f"the service did not start:\n{log.read_text()[-3000:]}")
                yield found[0], operator_of(environment)
                print(figures(found[0]))
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(60)
                told(log)


def operator_of(environment: Mapping[str, str]) -> str:
    """An operator's account, opened as the first one is, past the API: e-mail address and password."""
    email, password = "operator@example.org", base64.b64encode(os.urandom(24)).decode()
    command = [sys.executable, "-m", "filewright", "admin", "user", "add", email, "--role", "admin"]
    subprocess.run([*command, "--password-file", "-"], env=environment, input=password, text=True, check=True)
    return f"{email}\n{password}"


@contextmanager
def scanner() -> Iterator[dict[str, str]]:
    """A ClamAV of our own where there is one."""
    from filewright.chassis.testing.servers.clamd import PrivateClamd
    from filewright.chassis.testing.servers.process import ServerMissing

    try:
        clamd = PrivateClamd()
    except ServerMissing as error:
        print(f"without a virus scanner: {error}", file=sys.stderr)
        yield {}
        return
    try:
        yield {"FILEWRIGHT_CLAMD_URL": clamd.url, "FILEWRIGHT_SCANNING": "required"}
    finally:
        clamd.stop()


def figures(url: str) -> str:
    """What the service counted: the walkers' statistics do not tell what came of the requests."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=60) as answer:
        text = answer.read().decode()
    requests: Counter[str] = Counter()
    routes: set[str] = set()
    for labels, count in re.findall(r"^filewright_http_requests_total\{(.*)\} (\S+)", text, re.MULTILINE):
        named = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        requests[f"{named['status'][0]}xx"] += round(float(count))
        if named["status"].startswith("2"):
            routes.add(f"{named['method']} {named['route']}")
    lines = [f"answers {status}: {count}" for status, count in sorted(requests.items())]
    lines.append(f"routes that answered 2xx: {len(routes)}")
    lines += sorted(routes)
    kept = r"^filewright_((?:attempts_finished|scans|webhook_tries|letters)_total\{.*\}) (\S+)"
    return "\n".join([*lines, *(" ".join(found) for found in re.findall(kept, text, re.MULTILINE))])


def told(log: Path) -> None:
    """What the service itself took for a defect."""
    for line in log.read_text().splitlines():
        if re.search(r"Traceback|unhandled|\[error", line):
            print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
