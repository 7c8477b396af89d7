"""Where scanners listen."""

import pytest

from filewright.chassis.scanning.address import Address, parse_addresses


def test_several_addresses_stand_with_commas_between_them():
    found = parse_addresses("tcp://scanner:3311, unix:///run/clamav/clamd.ctl ,tcp://[::1]")
    assert found == (
        Address(host="scanner", port=3311),
        Address(path="/run/clamav/clamd.ctl"),
        Address(host="::1", port=3310),
    )
    assert [str(address) for address in found] == [
        "tcp://scanner:3311",
        "unix:///run/clamav/clamd.ctl",
        "tcp://[::1]:3310",
    ]


def test_the_same_address_twice_is_one_scanner():
    assert len(parse_addresses("tcp://a:1,tcp://a:1")) == 1


@pytest.mark.parametrize(
    "text", ["", ",", "localhost:3310", "http://scanner", "tcp://", "unix://relative", "tcp://a/b", "tcp://a:99999"]
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match=r"scanner|unix|range"):
        parse_addresses(text)
