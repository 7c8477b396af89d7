"""No way of writing an address leads to where nobody may go: a real listener waits there, and nobody comes."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewright.chassis.egress.addresses import is_public, may_be_reached
from filewright.chassis.egress.client import Bounds, Egress, Outgoing
from filewright.chassis.egress.errors import SourceFailed, SourceForbidden
from filewright.chassis.egress.targets import target_of
from filewright.chassis.egress.wire import Policy, system_resolver
from filewright.chassis.testing.peers import Names, Peer, listening

TLS = ssl.create_default_context()
GREETING = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ncanary"


def words(text: str) -> list[str]:
    return text.split()


LOOPBACK_FORMS = words(
    """
127.0.0.1 127.0.0.2 127.1.2.3 127.255.255.254 127.0.0.1. 127.1 127.0.1 127.0.0.1.. 0 0.0.0.0 0.0.0.0. 0.0 00.0.0.0
2130706433 2130706433. 017700000001 0x7f000001 0X7F000001 0x7F.0.0.1 0x7f.1 0x7f.0x0.0x0.0x1 0177.0.0.1 0177.1
0177.00.00.01 127.0.0.01 127.000.000.001 0000177.0.0.1 127.0x0.1 127.0.1.0x 0x 1 1.0x7f000001 4294967295 6425673729
localhost LOCALHOST LocalHost localhost. localhost.. localhost.localdomain ip6-localhost ip6-loopback %6c%6fcalhost
127.0.0.1%00 127.0.0.1%2e %31%32%37.0.0.1 127%2e0%2e0%2e1 127.0.0.1%0d%0a localhost%23 127.0.0.1%20 １２７.0.0.1
１２７.０.０.１ 127。0。0。1 127．0．0．1 127｡0｡0｡1 ①②⑦.⓪.⓪.① ₁₂₇.₀.₀.₁ ¹²⁷.⁰.⁰.¹ 𝟏𝟐𝟕.𝟎.𝟎.𝟏
ⓛⓞⓒⓐⓛⓗⓞⓢⓣ ｌｏｃａｌｈｏｓｔ ℓocalhost
localhoſt 𝐥𝐨𝐜𝐚𝐥𝐡𝐨𝐬𝐭 localhost。 loc\N{SOFT HYPHEN}alhost [::1] [::] [0:0:0:0:0:0:0:1]
[0000:0000:0000:0000:0000:0000:0000:0001] [::0.0.0.1] [::127.0.0.1] [::7f00:1] [::ffff:127.0.0.1] [::ffff:7f00:1]
[::FFFF:127.0.0.1] [0:0:0:0:0:ffff:127.0.0.1] [::ffff:0:127.0.0.1] [64:ff9b::127.0.0.1] [64:ff9b::7f00:1]
[64:ff9b:1::7f00:1] [2002:7f00:1::] [2002:7f00:0001::1] [2002:7f00:1::7f00:1] [2001:0:7f00:1::]
[2001:0000:4136:e378:8000:63bf:80ff:fffe] [2001::1] [::1%lo] [::1%25lo] [::1%251] [fe80::1%25lo] [::1]. [::1 ::1
::1] [[::1]] [127.0.0.1] [localhost] [::ffff:127.0.0.1%25lo] [::1%00] []
"""
)

INSIDE_FORMS = words(
    """
10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 192.168.255.255 169.254.169.254 169.254.170.2
169.254.0.1 100.64.0.1 100.100.100.200 100.127.255.255 168.63.129.16 192.0.0.192 192.0.0.1 192.0.0.9 192.0.2.1
192.31.196.1 192.52.193.1 192.88.99.1 192.175.48.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1
239.255.255.255 240.0.0.1 255.255.255.255 0.1.2.3 2852039166 0xa9fea9fe 0251.0376.0251.0376 169.254.43518 [fe80::1]
[fec0::1] [fc00::1] [fd00:ec2::254] [fdff::1] [ff02::1] [ff0e::1] [2001:db8::1] [3fff::1] [100::1] [::ffff:10.0.0.1]
[::ffff:169.254.169.254] [::169.254.169.254] [64:ff9b::a9fe:a9fe] [64:ff9b::8.8.8.8] [2002:a9fe:a9fe::1]
[2002:a00:1::] [2001:0:a9fe:a9fe::] [2001:2::1] [2001:10::1] [2001:20::1] [2620:4f:8000::1] [5f00::1] [4000::1]
[::8.8.8.8] [::ffff:8.8.8.8]
"""
)

NAMES = {
    "inside": ["10.1.2.3"], "metadata": ["169.254.169.254"], "loop": ["127.0.0.1"], "loop6": ["::1"],
    "any": ["0.0.0.0"],
    "mapped": ["::ffff:127.0.0.1"], "nat64": ["64:ff9b::7f00:1"], "sixtofour": ["2002:7f00:1::"],
    "teredo": ["2001:0:7f00:1::"], "link": ["fe80::1%lo"], "mixed": ["93.184.215.14", "127.0.0.1"],
    "mixed6": ["2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::1"], "late": ["93.184.215.14"] * 9 + ["10.0.0.1"],
    "multicast": ["224.0.0.251"], "broadcast": ["255.255.255.255"], "carrier": ["100.64.0.1"],
}  # fmt: skip

WRITTEN_BADLY = (
    "http://user@{at}/", "http://user:password@{at}/", "http://public.test@{at}/", "http://public.test:80@{at}/",
    "http://@{at}/", "http://:@{at}/", "http://{at}@public.test/", "http://public.test%40{at}/", "http://{at}\\@public.test/",
    "http://public.test\\@{at}/",
    "http://{at}\\.public.test/", "http:\\\\{at}", "http:/{at}", "http:{at}", "http:///{at}",
    "//{at}", "{at}", "", " ", "http://", "http://?", "http://#", "http://:80", "http://:{port}/", "http://.:{port}/",
    "ftp://{at}", "file:///etc/passwd",
    "file://{at}/", "gopher://{at}/_x", "dict://{at}/", "ldap://{at}", "unix:/run/x",
    "jar:http://{at}!/", "data:text/plain,x", "javascript:alert(1)", "ws://{at}", "http+unix://{at}", "https+http://{at}",
    "view-source:http://{at}", "HTTP://{at}", "hTTpS://{at}", "http://{at}:{port}", "http://localhost:{port}:80/",
    "http://localhost:+{port}/", "http://localhost:{port}a/", "http://localhost:0/", "http://localhost:65536/",
    "http://localhost:065536/", "http://localhost:-1/", "http://localhost:٨٠/", "http://{at}\t/", "\thttp://{at}",
    "http://{at}\n", "http://{at}\r\nX: y/", " http://{at}", "http://{at} ", "http://{at}/\0", "http://{at}\0.public.test",
    "http://local\thost:{port}/", "http://local\nhost:{port}/", "http://local host:{port}/", "http://-localhost:{port}/",
    "http://local..host:{port}/", "http://{at}\u200b/", "http://\u200b{at}", "http://{at}\ufeff", "http://xn--:{port}/",
    "http://localhost|.public.test:{port}/", "http://localhost'.test:{port}/", 'http://localhost"/', "http://[{at}]/",
    "http://public.test,{at}/", "http://public.test;{at}/", "http://{at},public.test/", "http://$localhost:{port}/",
    "http://localhost{{}}:{port}/", "http://" + "a" * 64 + ".test:{port}/", "http://" + "a." * 130 + "test:{port}/",
    "http://{at}/" + "a" * 5000,
)  # fmt: skip


@pytest.fixture
async def canary() -> AsyncIterator[Peer]:
    async with listening(GREETING, "127.0.0.1", "::1") as peer:
        yield peer
        assert peer.visits == 0, "somebody came to where nobody may go"


@pytest.fixture
def bounds() -> Bounds:
    return Bounds(seconds=60, silent_seconds=30)


def careful(canary: Peer, names: Names | None = None) -> Egress:
    """As in production, but that the canary's port is one of those that may be used: only the address is in the way."""
    policy = Policy(ports=frozenset({80, 443, canary.port}))
    return Egress(policy, resolve=names or system_resolver, tls=TLS)


@pytest.mark.requirement("S23", "S24")
@pytest.mark.parametrize("host", [*LOOPBACK_FORMS, *INSIDE_FORMS])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_no_form_of_an_address_that_is_not_public_is_reached(
    scheme: str, host: str, canary: Peer, bounds: Bounds
) -> None:
    with pytest.raises(SourceForbidden):
        await careful(canary).exchange(Outgoing("GET", f"{scheme}://{host}:{canary.port}/", bounds=bounds))


@pytest.mark.requirement("S23", "S24")
@pytest.mark.parametrize("template", WRITTEN_BADLY)
async def test_no_other_way_of_writing_it_leads_there(template: str, canary: Peer, bounds: Bounds) -> None:
    url = template.replace("{at}", f"localhost:{canary.port}").replace("{port}", str(canary.port))
    with pytest.raises(SourceForbidden):
        names = Names(public_test=[["127.0.0.1"]], localhost=[["127.0.0.1"]])
        await careful(canary, names).exchange(Outgoing("GET", url, bounds=bounds))


@pytest.mark.requirement("S23", "S24")
@pytest.mark.parametrize("name", NAMES)
async def test_a_name_is_judged_by_every_address_that_it_means(name: str, canary: Peer, bounds: Bounds) -> None:
    egress = careful(canary, Names(**{f"{name}_test": [NAMES[name]]}))
    with pytest.raises(SourceForbidden, match="public internet"):
        await egress.exchange(Outgoing("GET", f"http://{name}.test:{canary.port}/", bounds=bounds))


def test_there_are_enough_forms() -> None:
    forms = {*LOOPBACK_FORMS, *INSIDE_FORMS, *NAMES, *WRITTEN_BADLY}
    assert len(forms) >= 200


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "0177.0.0.1", "2130706433"])
def test_this_machines_resolver_does_take_such_numbers_for_addresses(host: str) -> None:
    """Why they are refused and not asked about: else the list above would prove nothing."""
    assert socket.getaddrinfo(host, 80, type=socket.SOCK_STREAM)[0][4][0] == "127.0.0.1"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "localhost", "LOCALHOST.", "ｌｏｃａｌｈｏｓｔ", "127。0。0。1"]
)
async def test_the_canary_would_notice(host: str, bounds: Bounds) -> None:
    async with listening(GREETING, "127.0.0.1", "::1") as peer:
        allowed = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
        answer = await Egress(Policy(allowed)).exchange(Outgoing("GET", f"http://{host}:{peer.port}/", bounds=bounds))
        assert (answer.body, peer.visits) == (b"canary", 1)


@pytest.mark.requirement("S23", "S24")
async def test_a_name_that_changes_its_meaning_is_asked_once_and_what_was_judged_is_dialled(bounds: Bounds) -> None:
    """The rebinding resolver: the first answer may be reached, every later one is the canary."""
    async with listening(GREETING, "::1") as permitted, listening(GREETING, "127.0.0.1", port=permitted.port) as canary:
        names = Names(turning_test=[["::1"], ["127.0.0.1"], ["::1"], ["127.0.0.1"], ["127.0.0.1"]])
        egress = Egress(Policy((ipaddress.ip_network("::1/128"),)), resolve=names)
        request = Outgoing("GET", f"http://turning.test:{permitted.port}/", bounds=bounds)
        assert (await egress.exchange(request)).status == 200
        assert len(names.asked) == 1
        with pytest.raises(SourceForbidden):
            await egress.exchange(request)
        assert (await egress.exchange(request)).status == 200
        with pytest.raises(SourceForbidden):
            await egress.exchange(request)
        assert (permitted.visits, canary.visits, len(names.asked)) == (2, 0, 4)


@pytest.mark.requirement("S23", "S24")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_told_and_not_followed(status: int, bounds: Bounds) -> None:
    async with listening(GREETING, "127.0.0.1") as canary:
        leading_on = f"HTTP/1.1 {status} Go\r\nLocation: http://127.0.0.1:{canary.port}/\r\nContent-Length: 0\r\n\r\n"
        async with listening(leading_on.encode(), "::1") as peer:
            egress = Egress(Policy((ipaddress.ip_network("::1/128"),)))
            answer = await egress.exchange(Outgoing("GET", f"http://[::1]:{peer.port}/", bounds=bounds))
        assert (answer.status, canary.visits) == (status, 0)


@pytest.mark.requirement("S23")
async def test_public_addresses_are_spoken_to_on_few_ports_only() -> None:
    egress = Egress()
    for url in ("http://93.184.215.14:22/", "https://93.184.215.14:6379/", "http://[2606:4700::1111]:25/"):
        with pytest.raises(SourceForbidden, match="ports"):
            egress.check(url)
    with pytest.raises(SourceForbidden, match="ports"):
        egress.check("https://example.com:11211/")
    assert egress.check("https://example.com:8443/").port == 8443


@pytest.mark.requirement("S23")
async def test_where_secrecy_is_asked_for_a_public_address_needs_tls(bounds: Bounds) -> None:
    names = Names(hook_test=[["93.184.215.14"]], here_test=[["127.0.0.1"]])
    egress = Egress(Policy((ipaddress.ip_network("127.0.0.0/8"),)), resolve=names)
    with pytest.raises(SourceForbidden, match="https"):
        await egress.exchange(Outgoing("POST", "http://hook.test/", secure_only=True, bounds=bounds))
    async with listening(GREETING) as peer:
        request = Outgoing("POST", f"http://here.test:{peer.port}/", secure_only=True, bounds=bounds)
        assert (await egress.exchange(request)).status == 200
    with pytest.raises(SourceForbidden, match="https"):
        Egress().check("http://hook.test/", secure_only=True)


def test_a_network_of_translators_may_be_allowed_and_is_no_way_inside() -> None:
    translators = (ipaddress.ip_network("64:ff9b::/96"),)
    assert may_be_reached(ipaddress.ip_address("64:ff9b::8.8.8.8"), translators)
    assert not may_be_reached(ipaddress.ip_address("64:ff9b::7f00:1"), translators)
    assert not may_be_reached(ipaddress.ip_address("64:ff9b::a9fe:a9fe"), translators)
    everything = (ipaddress.ip_network("::ffff:0:0/96"),)
    assert not may_be_reached(ipaddress.ip_address("::ffff:10.0.0.1"), everything)


@pytest.mark.parametrize("text", ["8.8.8.8", "1.1.1.1", "93.184.215.14", "2606:4700::1111", "2a00:1450:4001::200e"])
def test_the_public_internet_is_public(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_nothing_that_the_standard_library_calls_local_is_public(address: ipaddress.IPv4Address) -> None:
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        assert not is_public(address)


@given(st.text(max_size=80))
def test_any_text_is_taken_apart_or_refused(text: str) -> None:
    for url in (text, f"http://{text}", f"https://{text}/x", f"http://[{text}]/"):
        try:
            target = target_of(url)
        except SourceForbidden:
            continue
        assert target.host.isascii()
        assert not set(target.host) & set("@/\\?#% ")
        assert target_of(target.url) == target, "what was understood is understood again"


async def test_what_a_name_does_not_mean_is_a_failure_and_no_refusal(bounds: Bounds) -> None:
    with pytest.raises(SourceFailed, match="resolved"):
        await Egress(resolve=Names()).exchange(Outgoing("GET", "https://nowhere.test/", bounds=bounds))
