"""Cursors, JSON, forwarded addresses and preferences: small parsers of what strangers write."""

from __future__ import annotations

import ipaddress
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewright.chassis.clock import SystemClock
from filewright.chassis.ids import RandomIds
from filewright.chassis.web.cursors import decode_cursor, encode_cursor
from filewright.chassis.web.jsonbody import parse_json
from filewright.chassis.web.preferences import etag_matches
from filewright.chassis.web.problems import InvalidRequest
from filewright.chassis.web.proxies import Proxies, parse_address


def test_a_cursor_leads_to_where_it_came_from():
    made = RandomIds(SystemClock()).new("job")
    assert decode_cursor(encode_cursor(made), "job") == made


@given(st.text())
def test_a_cursor_that_we_did_not_make_is_refused(text):
    with pytest.raises(InvalidRequest):
        decode_cursor(text, "job")


def test_a_cursor_of_another_list_is_refused():
    with pytest.raises(InvalidRequest):
        decode_cursor(encode_cursor(RandomIds(SystemClock()).new("upl")), "job")


@pytest.mark.requirement("S32", "S37")
@pytest.mark.parametrize(
    "raw",
    [b'"' * 500_001, b'"\\"' * 200_000, b"[" * 900_000, b'["' * 400_000, b"\\" * 900_000, b'{"a":"' + b'\\"' * 400_000],
)
def test_looking_for_depth_takes_linear_time(raw):
    began = time.process_time()
    with pytest.raises(InvalidRequest):
        parse_json(raw)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "raw", [b'"[[[[' + b"[" * 100 + b'"', b'{"a": "}}}}{{{{"}', b'["\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["]']
)
def test_brackets_in_a_text_are_no_depth(raw):
    parse_json(raw)


def test_a_nul_in_a_text_is_refused_and_its_look_alike_is_not():
    with pytest.raises(InvalidRequest):
        parse_json(b'{"a": ["x\\u0000"]}')
    assert parse_json(b'"\\\\u0000"') == "\\u0000"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("1.2.3.4:5678", "1.2.3.4"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ('"[2001:db8::1]"', "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("unknown", None),
        ("010.1.1.1", None),
        ("", None),
    ],
)
@pytest.mark.requirement("S12", "S14")
def test_an_address_is_read_as_proxies_write_it(text, address):
    assert parse_address(text) == (ipaddress.ip_address(address) if address else None)


def scope(peer, *forwarded):
    return {
        "type": "http",
        "client": (peer, 1),
        "headers": [(b"x-forwarded-for", value.encode()) for value in forwarded],
    }


@pytest.mark.requirement("S12")
@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("5.5.5.5", ["9.9.9.9"], "5.5.5.5"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["9.9.9.9"], "9.9.9.9"),
        ("10.0.0.1", ["6.6.6.6, 9.9.9.9"], "9.9.9.9"),
        ("10.0.0.1", ["6.6.6.6", "9.9.9.9, 10.0.0.2"], "9.9.9.9"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["9.9.9.9, nonsense"], "10.0.0.1"),
        ("::ffff:10.0.0.1", ["9.9.9.9"], "9.9.9.9"),
    ],
)
def test_the_client_is_the_last_that_a_believed_proxy_vouches_for(peer, forwarded, client):
    proxies = Proxies([ipaddress.ip_network("10.0.0.0/8")])
    assert proxies.client(scope(peer, *forwarded)) == ipaddress.ip_address(client)
    assert Proxies().client(scope(peer, *forwarded)) == parse_address(peer)


@pytest.mark.parametrize(
    ("header", "matches"),
    [
        ('"a"', True),
        ('W/"a"', True),
        ('"b", "a"', True),
        ("*", True),
        ('"b"', False),
        ("a", False),
        ("", False),
        (None, False),
    ],
)
def test_a_tag_matches_weakly_any_in_the_list(header, matches):
    assert etag_matches(header, '"a"') is matches
