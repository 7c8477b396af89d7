"""`/docs`: the reference of the API, drawn by us from the OpenAPI document, with nothing loaded from anywhere else.

Plain HTML made on the server: it works without scripts, prints well, and cannot phone home.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 0 auto; padding: 1.5rem; }
code, pre { font: 0.9em/1.45 ui-monospace, monospace; }
pre { overflow-x: auto; padding: .75rem; border: 1px solid #8884; border-radius: .4rem; }
nav { columns: 2; } nav a { display: block; }
section { border-top: 1px solid #8884; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: .25rem .5rem; }
td { border-top: 1px solid #8883; } .method { font-weight: 600; }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


def reference_router(app: FastAPI) -> APIRouter:
    """The page."""
    routes = APIRouter()

    @routes.get("/docs", include_in_schema=False)
    async def reference() -> HTMLResponse:
        return HTMLResponse(page(app.openapi()), headers={"Content-Security-Policy": _POLICY})

    return routes


def page(document: Mapping[str, Any]) -> str:
    """The whole reference as HTML."""
    title = escape(document["info"]["title"])
    operations = list(_operations(document))
    links = "".join(f'<a href="#{escape(item["operationId"])}">{_signature(*where)}</a>' for where, item in operations)
    parts = "".join(_operation(where, item) for where, item in operations)
    schemas = "".join(
        f'<section id="schema-{escape(name)}"><h3>{escape(name)}</h3>{_example_block(schema)}</section>'
        for name, schema in sorted(document["components"]["schemas"].items())
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}: API reference</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        f"<h1>{title} {escape(document['info']['version'])}</h1>{_paragraphs(document['info'].get('description', ''))}"
        f'<p>For programs: <a href="/openapi.json">openapi.json</a></p><nav>{links}</nav>{parts}'
        f"<h2>Schemas</h2>{schemas}</body></html>"
    )


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], Mapping[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield (method, path), operation


def _operation(where: tuple[str, str], operation: Mapping[str, Any]) -> str:
    return (
        f'<section id="{escape(operation["operationId"])}"><h2>{_signature(*where)}</h2>'
        f"<p>{escape(operation.get('summary', ''))}</p>{_paragraphs(operation.get('description', ''))}"
        f"{_parameters(operation.get('parameters', []))}{_body(operation.get('requestBody'))}"
        f"{_responses(operation['responses'])}</section>"
    )


def _signature(method: str, path: str) -> str:
    return f'<code><span class="method">{escape(method.upper())}</span> {escape(path)}</code>'


def _parameters(parameters: list[Mapping[str, Any]]) -> str:
    if not parameters:
        return ""
    rows = "".join(
        f"<tr><td><code>{escape(item['name'])}</code></td><td>{escape(item['in'])}</td>"
        f"<td>{escape(item.get('description') or item.get('schema', {}).get('description', ''))}</td></tr>"
        for item in parameters
    )
    return f"<table><tr><th>Parameter</th><th>In</th><th></th></tr>{rows}</table>"


def _body(body: Mapping[str, Any] | None) -> str:
    if body is None:
        return ""
    return "".join(
        f"<h3>Body: <code>{escape(kind)}</code></h3>{_example_block(content.get('schema', {}))}"
        for kind, content in body["content"].items()
    )


def _responses(responses: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(status)}</code></td><td>{escape(item.get('description', ''))}</td></tr>"
        for status, item in responses.items()
    )
    return f"<table><tr><th>Status</th><th></th></tr>{rows}</table>"


def _example_block(schema: Mapping[str, Any]) -> str:
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    if name:
        return f'<p>See <a href="#schema-{escape(name)}">{escape(name)}</a>.</p>'
    return f"<pre>{escape(json.dumps(schema, indent=2, ensure_ascii=False))}</pre>"


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(block)}</p>" for block in text.split("\n\n") if block.strip())
