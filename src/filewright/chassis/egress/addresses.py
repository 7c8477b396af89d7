"""Which addresses may be reached: those of the public internet, and the networks that the operator names.

The tables are our own and not only those of `ipaddress`, whose idea of "global" changes between versions of Python and
leaves out what matters here: addresses that carry another one inside, and public ones that clouds use for themselves.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from filewright.chassis.networks import Address, Network, within

_NOT_PUBLIC_4 = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",  # this host
            "10.0.0.0/8",
            "100.64.0.0/10",  # behind a provider's translation; also clouds' own services
            "127.0.0.0/8",
            "168.63.129.16/32",  # a cloud's own service on a public address
            "169.254.0.0/16",  # this link, and the metadata of every cloud
            "172.16.0.0/12",
            "192.0.0.0/24",  # protocol assignments
            "192.0.2.0/24",  # documentation
            "192.31.196.0/24",  # AS112
            "192.52.193.0/24",  # multicast tunnels
            "192.88.99.0/24",  # relays to IPv6
            "192.168.0.0/16",
            "192.175.48.0/24",  # AS112
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)
_PUBLIC_6 = ipaddress.IPv6Network("2000::/3")
"""All that was ever given out for public use. What is local, mapped, compatible or translated lies outside."""
_NOT_PUBLIC_6 = tuple(
    map(
        ipaddress.IPv6Network,
        (
            "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4
            "2620:4f:8000::/48",  # AS112
            "3fff::/20",  # documentation
        ),
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_LOW_32 = 0xFFFF_FFFF


def may_be_reached(address: Address, allowed: Iterable[Network] = ()) -> bool:
    """Whether the address, and every one that it carries inside, is public or in one of these networks."""
    allowed = tuple(allowed)
    if not (is_public(address) or within(address, allowed)):
        return False
    return all(is_public(inner) or within(inner, allowed) for inner in _carried(address))


def is_public(address: Address) -> bool:
    """Whether the address belongs to the public internet, by its own form. One with a zone never does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not within(address, _NOT_PUBLIC_4)
    return (
        address.scope_id is None and address in _PUBLIC_6 and address.is_global and not within(address, _NOT_PUBLIC_6)
    )


def _carried(address: Address) -> Iterator[ipaddress.IPv4Address]:
    """The IPv4 addresses that a translator on the way would make of this one.

    A network of transition may be allowed (NAT64, where there is no IPv4), and even then not as a way to what is not.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    elif address.sixtofour is not None:
        yield address.sixtofour
    elif address.teredo is not None:
        yield from address.teredo
    elif address in _NAT64 or address in _LOCAL_NAT64 or (address in _COMPATIBLE and int(address) > 1):
        yield ipaddress.IPv4Address(int(address) & _LOW_32)
