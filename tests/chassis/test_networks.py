"""Lists of addresses mean what the standard library says they mean, however an address came."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filewright.chassis.networks import within
from filewright.chassis.web.proxies import parse_address
from filewright.converter.settings import SettingsError, load

pytestmark = pytest.mark.requirement("S14")
ADDRESSES = st.ip_addresses()
NETWORKS = st.builds(
    lambda address, bits: ipaddress.ip_network((address, bits % (address.max_prefixlen + 1)), strict=False),
    ADDRESSES,
    st.integers(0, 128),
)


def plain(address):
    """An address of IPv4 that came as one of IPv6 is that of IPv4."""
    mapped = address.ipv4_mapped if address.version == 6 else None
    return mapped or address


@given(ADDRESSES, st.lists(NETWORKS, max_size=4))
def test_an_address_is_within_a_list_when_one_of_its_networks_holds_it(address, networks):
    holds = any(address in network for network in networks if network.version == address.version)
    assert within(address, networks) is holds


@given(ADDRESSES, st.integers(1, 65535), st.sampled_from(["eth0", "1", "wlan0.2"]))
def test_an_address_is_the_same_with_a_port_brackets_quotes_a_zone_or_mapped(address, port, zone):
    meant = plain(address)
    forms = [str(address), f'"{address}"', f"[{address}]:{port}", f" {address} "]
    forms += [f"{address}%{zone}", f"[{address}%{zone}]:{port}"] if address.version == 6 else []
    forms += [f"{address}:{port}", f"::ffff:{address}", f"[::ffff:{address}]"] if address.version == 4 else []
    for form in forms:
        assert parse_address(form) == meant, form


@pytest.mark.parametrize(
    "octal", ["010.0.0.1", "10.0.0.01", "0x0a.0.0.1", "167772161", "10.1", "10.0.0.1.", "１0.0.0.1"]
)
def test_what_is_octal_hexadecimal_short_or_else_strange_is_no_address(octal):
    assert parse_address(octal) is None
    with pytest.raises(SettingsError, match="FILEWRIGHT_BLOCKED_NETWORKS"):
        load({"FILEWRIGHT_BLOCKED_NETWORKS": f"{octal}/8"})
