"""Runs in the sandbox: mail in any of its forms to a page, text, JSON, an archive of its parts, or RFC 5322."""

from __future__ import annotations

import base64
import html
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping
from email.message import EmailMessage
from pathlib import Path

from filewright.chassis.sandbox.child import Refusal, Report
from filewright.converter.engines.inside.mail_message import Attachment, Message
from filewright.converter.engines.inside.mail_msg import read_msg
from filewright.converter.engines.inside.mail_rfc822 import (
    content,
    leaves,
    name_of,
    parse,
    read_eml,
    read_mbox,
    text_of,
)
from filewright.converter.engines.inside.mail_tnef import read_tnef

_READERS: Mapping[str, Callable[[Path], list[Message]]] = {
    "eml": read_eml,
    "mbox": read_mbox,
    "msg": read_msg,
    "tnef": read_tnef,
}


def convert(source: str, source_format: str, target: str, target_format: str, report: Report) -> None:
    """Read `source` and write `target`. Refuses a file in which there is no message."""
    if source_format == "mhtml":
        _convert_saved_page(Path(source), Path(target), target_format)
        return
    messages = _READERS[source_format](Path(source))
    if not messages:
        raise Refusal("corrupt_input")
    if target_format == "zip":
        _write_zip(Path(target), _files(messages))
    else:
        writer = {"html": _page, "txt": _text, "json": _json, "eml": _eml}[target_format]
        Path(target).write_text(writer(messages), encoding="utf-8", errors="replace", newline="")


def _convert_saved_page(source: Path, target: Path, target_format: str) -> None:
    parts = list(leaves(parse(source.read_bytes())))
    page = next((part for part in parts if part.get_content_type() in {"text/html", "application/xhtml+xml"}), None)
    if page is None:
        raise Refusal("corrupt_input")
    others = {}
    for part in parts:
        address = f"data:{part.get_content_type()};base64,{base64.b64encode(content(part)).decode()}"
        for name in (str(part.get("Content-Location", "")).strip(), _cid(part)):
            if part is not page and name:
                others[name] = address
    if target_format == "zip":
        _write_zip(target, [(_saved_name(part, number), content(part)) for number, part in enumerate(parts, 1)])
        return
    text = text_of(page)
    for name in sorted(others, key=len, reverse=True):
        for shape in (name, html.escape(name)):
            text = text.replace(f'"{shape}"', f'"{others[name]}"').replace(f"'{shape}'", f"'{others[name]}'")
    text = re.sub(r"(<meta[^>]{0,200}charset=[\"']?)[A-Za-z0-9_-]{1,40}", r"\1utf-8", text, flags=re.IGNORECASE)
    target.write_text(text, encoding="utf-8", errors="replace")


def _cid(part: EmailMessage) -> str:
    name = str(part.get("Content-ID", "")).strip("<> ")
    return f"cid:{name}" if name else ""


def _saved_name(part: EmailMessage, number: int) -> str:
    location = str(part.get("Content-Location", "")).split("?")[0].rstrip("/").rsplit("/", 1)[-1]
    ending = ".html" if part.get_content_type() == "text/html" and "." not in location else ""
    return (location or name_of(part, number)) + ending


def _page(messages: list[Message]) -> str:
    title = html.escape(messages[0].subject or "Message")
    body = "\n<hr>\n".join(_section(message) for message in messages)
    return (
        f'<!DOCTYPE html>\n<html>\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n<style>'
        "body { font-family: sans-serif; } th { text-align: left; vertical-align: top; padding-right: 1em; } "
        ".text { white-space: pre-wrap; }"
        f"</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _section(message: Message) -> str:
    rows = "".join(f"<tr><th>{name}</th><td>{html.escape(value)}</td></tr>\n" for name, value in _headers(message))
    return f"<h1>{html.escape(message.subject)}</h1>\n<table>\n{rows}</table>\n<div>{_body(message)}</div>"


def _headers(message: Message) -> list[tuple[str, str]]:
    names = ", ".join(part.name for part in message.attachments)
    rows = (
        ("From", message.sender),
        ("To", message.to),
        ("Cc", message.cc),
        ("Date", message.date),
        ("Attachments", names),
    )
    return [(name, value) for name, value in rows if value]


def _body(message: Message) -> str:
    if not message.html.strip():
        return f'<div class="text">{html.escape(message.text)}</div>'
    page = re.sub(r"(?is)<(script|style|title)\b.*?</\1\s*>", "", message.html)
    page = re.sub(r"(?i)</?(?:html|head|body|meta|link|base)\b[^>]{0,2000}>|<!doctype[^>]{0,500}>", "", page)
    for part in message.attachments:
        if part.content_id:
            data = base64.b64encode(part.content).decode()
            page = page.replace(f"cid:{part.content_id}", f"data:{html.escape(part.media_type)};base64,{data}")
    return page


def _text(messages: list[Message]) -> str:
    return "\n\n".join(
        "\n".join([f"Subject: {message.subject}", *(f"{name}: {value}" for name, value in _headers(message))])
        + f"\n\n{message.text or _stripped(message.html)}"
        for message in messages
    )


def _stripped(page: str) -> str:
    page = re.sub(r"(?is)<(script|style)\b.*?(?:</\1\s*>|\Z)", "", page)
    page = re.sub(r"(?i)<(?:br|/p|/div|/tr|/h\d|/li)\b[^<>]{0,200}>", "\n", page)
    return html.unescape(re.sub(r"<[^<>]{0,2000}>", "", page)).strip()


def _json(messages: list[Message]) -> str:
    rows = [
        {
            "subject": message.subject,
            "from": message.sender,
            "to": message.to,
            "cc": message.cc,
            "date": message.date,
            "text": message.text or _stripped(message.html),
            "attachments": [
                {"name": part.name, "media_type": part.media_type, "bytes": len(part.content)}
                for part in message.attachments
            ],
        }
        for message in messages
    ]
    return json.dumps(rows if len(rows) > 1 else rows[0], ensure_ascii=False, indent=2) + "\n"


def _eml(messages: list[Message]) -> str:
    message = messages[0]
    made = EmailMessage()
    for name, value in (
        ("Subject", message.subject),
        ("From", message.sender),
        ("To", message.to),
        ("Date", message.date),
    ):
        if value:
            made[name] = " ".join(value.split())
    made.set_content(message.text or _stripped(message.html))
    if message.html:
        made.add_alternative(message.html, subtype="html")
    for part in message.attachments:
        main, _, sub = part.media_type.partition("/")
        made.add_attachment(part.content, maintype=main, subtype=sub or "octet-stream", filename=part.name)
    return made.as_bytes().decode("utf-8", errors="surrogateescape")


def _files(messages: list[Message]) -> Iterable[tuple[str, bytes]]:
    if len(messages) > 1:
        return [(f"message-{number:04}.eml", message.original) for number, message in enumerate(messages, 1)]
    message = messages[0]
    body: list[Attachment] = []
    if message.text:
        body.append(Attachment("message.txt", "text/plain", message.text.encode()))
    if message.html:
        body.append(Attachment("message.html", "text/html", message.html.encode()))
    return [(part.name, part.content) for part in (*body, *message.attachments)]


def _write_zip(target: Path, files: Iterable[tuple[str, bytes]]) -> None:
    taken: set[str] = set()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(_free_name(_safe(name), taken), data)


def _safe(name: str) -> str:
    """The last part of a name, without anything that a file system could take for a path or a command."""
    last = re.split(r"[\\/]", name)[-1]
    return re.sub(r"[\x00-\x1f\x7f<>:\"|?*]", "_", last).strip(". ")[:150] or "part"


def _free_name(name: str, taken: set[str]) -> str:
    stem, dot, ending = name.rpartition(".")
    candidate, number = name, 1
    while candidate.lower() in taken:
        number += 1
        candidate = f"{stem or ending}-{number}{dot if stem else ''}{ending if stem else ''}"
    taken.add(candidate.lower())
    return candidate
