"""A bucket's own rules, and what its server can do: asked once, when an operator prepares an installation.

Objects are the store's; here it is the bucket that is made and told to end uploads that were never finished and to let
browsers in, as far as the server knows such rules. Rules of others stay as they are. `probe` finds out by trying,
because servers that speak S3 differ in what they merely accept.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

import httpx
from defusedxml.ElementTree import ParseError, fromstring

from filewright.chassis.clock import Clock
from filewright.chassis.storage.port import StoreUnavailable
from filewright.chassis.storage.s3_address import S3Address, parse_s3_address
from filewright.chassis.storage.sigv4 import Signer

RULE = "filewright"
"""The id of each rule that is ours."""
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_TRIES = 5
_FIRST_PAUSE = 0.2
_LIFETIME = timedelta(minutes=5)


@dataclass(frozen=True)
class Prepared:
    """What was done, or was there already. False: this server does not know such a thing, or does not let us."""

    made: bool
    """The bucket was not there before."""
    ends_unfinished: bool
    """Multipart uploads that are not finished after a day are removed."""
    admits_browsers: bool
    """Pages of other origins may use signed addresses."""


@dataclass(frozen=True)
class Capabilities:
    """What the server really does."""

    checks_digests: bool
    """Bytes that differ from the SHA-256 they came with are refused."""
    conditional_puts: bool
    """`If-None-Match: *` keeps an object from being replaced."""
    signed_reads: bool
    """A signed address is answered, with the type and name that it was signed with."""
    signed_sizes: bool
    """A signed address takes the number of bytes that it was signed for, and no other."""
    ends_unfinished: bool
    admits_browsers: bool

    @property
    def missing(self) -> list[str]:
        """Names of what this server does not do."""
        return [item.name for item in fields(self) if not getattr(self, item.name)]


@asynccontextmanager
async def open_bucket(url: str, access_key_id: str, secret_access_key: str, clock: Clock) -> AsyncIterator[Bucket]:
    """The bucket of a storage URL. Raises ValueError for what is none."""
    address = parse_s3_address(url)
    async with httpx.AsyncClient(timeout=30.0, trust_env=False) as client:
        yield Bucket(address, Signer(access_key_id, secret_access_key, address.region), client, clock)


class Bucket:
    """Speaks to the server as its owner. Every method may raise StoreUnavailable."""

    def __init__(self, address: S3Address, signer: Signer, client: httpx.AsyncClient, clock: Clock) -> None:
        self._address = address
        self._signer = signer
        self._client = client
        self._clock = clock

    async def prepare(self) -> Prepared:
        """Make it what the store needs. Doing it again changes nothing."""
        made = await self._make()
        ends = await self._add_rule("lifecycle", "LifecycleConfiguration", self._ending_rule())
        admits = await self._add_rule("cors", "CORSConfiguration", _browser_rule())
        return Prepared(made, ends, admits)

    async def probe(self) -> Capabilities:
        """Try it out, with an object that is gone afterwards."""
        url = self._address.object_url(f"probe/{secrets.token_hex(8)}")
        try:
            return Capabilities(
                checks_digests=await self._refuses_other_bytes(url),
                conditional_puts=await self._refuses_to_replace(url),
                signed_reads=await self._answers_signed_reads(url),
                signed_sizes=await self._refuses_other_sizes(url),
                ends_unfinished=await self._has_rule("lifecycle"),
                admits_browsers=await self._has_rule("cors"),
            )
        finally:
            await self._send("DELETE", url)

    # --- rules ---------------------------------------------------------------------------------------------------

    async def _make(self) -> bool:
        url = self._address.bucket_url
        if (await self._send("HEAD", url)).status_code == HTTPStatus.OK:
            return False
        answer = await self._send("PUT", url, body=self._place())
        if answer.status_code not in {HTTPStatus.OK, HTTPStatus.CONFLICT}:
            raise StoreUnavailable("The bucket is not there and could not be made; make it, and check the keys")
        return answer.status_code == HTTPStatus.OK

    def _place(self) -> bytes:
        """Where Amazon shall make it; other servers, and Amazon's first region, want no word on it."""
        if self._address.endpoint is not None or self._address.region == "us-east-1":
            return b""
        root = Element("CreateBucketConfiguration", xmlns=_NAMESPACE)
        SubElement(root, "LocationConstraint").text = self._address.region
        return tostring(root)

    async def _has_rule(self, kind: str) -> bool:
        rules = await self._rules(kind)
        return rules is not None and _is_in(rules)

    async def _add_rule(self, kind: str, name: str, rule: Element) -> bool:
        """Whether our rule is there now, beside whatever was there."""
        rules = await self._rules(kind)
        if rules is None:
            return False
        if _is_in(rules):
            return True
        root = Element(name, xmlns=_NAMESPACE)
        root.extend([*rules, rule])
        body = tostring(root)
        digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        answer = await self._send(
            "PUT",
            self._address.bucket_url,
            query={kind: ""},
            headers={"Content-MD5": digest, "Content-Type": "application/xml"},
            body=body,
        )
        return answer.is_success and await self._has_rule(kind)

    async def _rules(self, kind: str) -> list[Element] | None:
        """The rules of that kind, none of them, or None when the server knows no such kind or does not tell."""
        answer = await self._send("GET", self._address.bucket_url, query={kind: ""})
        if answer.status_code == HTTPStatus.NOT_FOUND and b"Configuration" in answer.content:
            return []
        if not answer.is_success:
            return None
        try:
            root = fromstring(answer.content)
        except ParseError:
            return None
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]  # some servers name the namespace and others do not
        return list(root)

    def _ending_rule(self) -> Element:
        rule = Element("Rule")
        SubElement(rule, "ID").text = RULE
        below = f"{self._address.prefix}/" if self._address.prefix else ""
        SubElement(SubElement(rule, "Filter"), "Prefix").text = below
        SubElement(rule, "Status").text = "Enabled"
        SubElement(SubElement(rule, "AbortIncompleteMultipartUpload"), "DaysAfterInitiation").text = "1"
        return rule

    # --- trials --------------------------------------------------------------------------------------------------

    async def _refuses_other_bytes(self, url: str) -> bool:
        digest = base64.b64encode(hashlib.sha256(b"these").digest()).decode()
        answer = await self._send("PUT", url, headers={"x-amz-checksum-sha256": digest}, body=b"those")
        return answer.status_code == HTTPStatus.BAD_REQUEST

    async def _refuses_to_replace(self, url: str) -> bool:
        await self._send("PUT", url, body=b"probe")
        answer = await self._send("PUT", url, headers={"If-None-Match": "*"}, body=b"other")
        return answer.status_code == HTTPStatus.PRECONDITION_FAILED

    async def _answers_signed_reads(self, url: str) -> bool:
        name = 'attachment; filename="probe.txt"'
        query = {"response-content-disposition": name, "response-content-type": "text/x-probe"}
        signed = self._signer.url("GET", url, at=self._clock.now(), lifetime=_LIFETIME, query=query)
        answer = await self._request("GET", signed)
        told = (answer.headers.get("content-disposition"), answer.headers.get("content-type"))
        return answer.is_success and told == (name, "text/x-probe")

    async def _refuses_other_sizes(self, url: str) -> bool:
        signed = self._signer.url("PUT", url, at=self._clock.now(), lifetime=_LIFETIME, headers={"Content-Length": "5"})
        longer = await self._request("PUT", signed, content=b"longer")
        exact = await self._request("PUT", signed, content=b"exact")
        return longer.is_client_error and exact.is_success

    # --- the wire ------------------------------------------------------------------------------------------------

    async def _send(
        self,
        method: str,
        url: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> httpx.Response:
        signed = self._signer.headers(method, url, at=self._clock.now(), query=query, headers=headers, body=body)
        asked = f"{url}?{'&'.join(f'{name}={value}' for name, value in query.items())}" if query else url
        return await self._request(method, asked, headers=signed, content=body)

    async def _request(self, method: str, url: str, **more: Any) -> httpx.Response:
        """The answer, after a few tries when the server is not well. All that is asked here may be asked again."""
        for n in range(_TRIES):
            try:
                answer = await self._client.request(method, url, **more)
                if answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR or (
                    answer.status_code == HTTPStatus.NOT_IMPLEMENTED
                ):
                    return answer
            except httpx.TransportError:
                pass
            if n + 1 < _TRIES:
                await asyncio.sleep(_FIRST_PAUSE * 2**n * random.random())  # noqa: S311 - spreads retries
        raise StoreUnavailable


def _is_in(rules: list[Element]) -> bool:
    return any(rule.findtext("ID") == RULE for rule in rules)


def _browser_rule() -> Element:
    """Anybody's pages: a signed address is the permission, and no cookie or other credential goes with it."""
    rule = Element("CORSRule")
    SubElement(rule, "ID").text = RULE
    SubElement(rule, "AllowedOrigin").text = "*"
    for method in ("GET", "HEAD", "PUT"):
        SubElement(rule, "AllowedMethod").text = method
    for header in ("content-type", "range", "x-amz-checksum-sha256"):
        SubElement(rule, "AllowedHeader").text = header
    for header in ("ETag", "Content-Range", "Content-Disposition"):
        SubElement(rule, "ExposeHeader").text = header
    SubElement(rule, "MaxAgeSeconds").text = "3600"
    return rule
