"""What nginx is told, in one set of rules for two places: the front of a stack, and `deploy/nginx` for other hosts.

The rules themselves are `templates/front/`. What differs is said here: how the API is reached, who may see its figures,
where logs and copies go. `scripts/front.py` writes the files of `deploy/nginx`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from filewright.stack.rendering import render

API = "filewright_api"
BUCKET = "filewright"
_LASTING_TLS = "max-age=31536000"
_METRICS_OF_A_STACK = """\
# The operators' endpoints show themselves to this machine only.
location ~ ^/(metrics$|reports/) {
    allow 127.0.0.1;
    allow ::1;
    deny all;
    proxy_pass http://$pool;
}"""
_METRICS_ELSEWHERE = """\
# Figures are collected from each process itself, and reports read there, behind this front.
location ~ ^/(metrics$|reports/) {
    return 404;
}"""
_OTHER_FILES = 256
"""Of a worker of nginx: what it has open that is no connection, to a client or to the API."""
_BROTLI_MODULE = "ngx_http_brotli_filter_module.so"


def of_stack(*, listen: str, listen_tls: str, open_files: int, cache_size: str, brotli: Path | None) -> str:
    """`nginx.conf` of a stack; beside it lie `rotation.conf`, `choices.conf` and the certificate.

    `brotli` is nginx's module for it. Nobody is told to stay with TLS: `localhost` is other programs' name as well.
    """
    rules = render(
        "front/rules.conf",
        access_log="nginx-access.log",
        api="$pool",
        brotli=_brotli() if brotli else "",
        bucket_location=_bucket_location(),
        metrics=_METRICS_OF_A_STACK,
        and_what=", and which state of the rotation it has",
        well="rotation $rotation",
    )
    return render(
        "front/stack.conf",
        modules=f"load_module {brotli};\n" if brotli else "",
        open_files=open_files,
        worker_connections=max(256, min(32_768, open_files - _OTHER_FILES)),
        cache_size=cache_size,
        traffic=_traffic("cache", lasting_tls=""),
        listen=listen,
        listen_tls=listen_tls,
        tls=render("front/tls.conf"),
        rules=rules,
    )


def of_deploy() -> Mapping[str, str]:
    """The files of `deploy/nginx` that are made of the rules, by name."""
    rules = render(
        "front/rules.conf",
        access_log="/dev/stdout",
        api=API,
        brotli="include filewright/brotli*.conf;",
        bucket_location="include filewright/edge*.conf;",
        metrics=_METRICS_ELSEWHERE,
        and_what="",
        well="well",
    )
    traffic = _traffic("/var/cache/nginx", lasting_tls=_LASTING_TLS)
    return {
        "filewright.conf": render("front/deploy.conf", traffic=traffic, rules=rules),
        "edge.conf": render("front/deploy-edge.conf", bucket_location=_bucket_location()),
        "brotli.conf": "# Where nginx has the module. Made by scripts/front.py.\n" + _brotli(),
        "listen.tls.conf": render("front/listen.tls.conf", tls=render("front/tls.conf")),
    }


def pool(name: str, addresses: tuple[str, ...]) -> str:
    """A pool of API processes."""
    servers = [f"server {address} max_fails=2 fail_timeout=2s;" for address in addresses]
    return render("front/pool.conf", name=name, servers="\n".join(servers or ["server 127.0.0.1:9 down;"]))


def brotli_module() -> Path | None:
    """Where Debian puts it, when it is installed."""
    path = Path("/usr/lib/nginx/modules") / _BROTLI_MODULE
    return path if path.exists() else None


def _traffic(cache: str, *, lasting_tls: str) -> str:
    return render("front/traffic.conf", cache=cache, lasting_tls=lasting_tls)


def _bucket_location() -> str:
    return render("front/bucket.conf", bucket=BUCKET)


def _brotli() -> str:
    return render("front/brotli.conf")
