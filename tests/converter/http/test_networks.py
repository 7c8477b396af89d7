"""Lists of networks that operators change while the service runs."""

from __future__ import annotations

import time

import pytest

NETWORKS = "/v1/admin/networks"
HOME = "203.0.113.1"
"""Where the operator asks from."""


@pytest.fixture(scope="module")
def service(tmp_path_factory, serve):
    """One that believes a proxy on this machine, whose owner is its operator."""
    settings = {"trusted_proxies": ("127.0.0.0/8",), "blocked_networks": ("192.0.2.0/24",)}
    with serve(tmp_path_factory.mktemp("networks"), as_set=True, settings=settings) as live:
        yield live


@pytest.fixture
def http(service):
    with service.client_inside(headers={"X-Forwarded-For": HOME}) as client:
        yield client
        for entry in client.get(NETWORKS).raise_for_status().json()["data"]:
            if entry["id"] is not None:
                client.delete(f"{NETWORKS}/{entry['id']}").raise_for_status()


def put(http, listed, network, **more):
    return http.post(NETWORKS, json={"list": listed, "network": network, **more})


def status_at(http, address):
    return http.get("/v1/formats", headers={"X-Forwarded-For": address}).status_code


def comes_to(http, address, status):
    """In the process that was told at once; in the others as soon as they have looked. They are asked in turns."""
    deadline = time.monotonic() + 30
    while (found := {status_at(http, address) for _ in range(4)}) != {status} and time.monotonic() < deadline:
        time.sleep(0.05)
    return found == {status}


@pytest.mark.requirement("S14", "S38")
def test_a_network_that_is_blocked_is_refused_until_it_is_taken_off_the_list(http):
    assert status_at(http, "198.51.100.9") == 200
    made = put(http, "blocked", "198.51.100.0/24", note="scrapes")
    assert made.status_code == 201, made.text
    assert comes_to(http, "198.51.100.9", 403)
    assert status_at(http, HOME) == 200
    assert http.delete(f"{NETWORKS}/{made.json()['id']}").status_code == 204
    assert comes_to(http, "198.51.100.9", 200)
    acts = http.get("/v1/admin/audit", params={"subject": made.json()["id"]}).json()["data"]
    assert [(act["action"], act["details"]["network"]) for act in acts] == [
        ("network.removed", "198.51.100.0/24"),
        ("network.listed", "198.51.100.0/24"),
    ]


@pytest.mark.requirement("S14")
def test_with_an_allow_list_only_those_on_it_are_let_in(http):
    put(http, "allowed", "203.0.113.0/24").raise_for_status()
    assert comes_to(http, "198.51.100.9", 403)
    assert status_at(http, HOME) == 200


@pytest.mark.requirement("S14", "S29")
def test_a_single_address_stands_in_the_log_as_a_mark(http):
    made = put(http, "blocked", "198.51.100.77").raise_for_status().json()
    [act] = http.get("/v1/admin/audit", params={"subject": made["id"]}).json()["data"]
    assert "198.51.100.77" not in str(act)
    assert act["details"]["network"].startswith("net:")


def test_an_operator_is_not_let_shut_themselves_out(http):
    assert put(http, "blocked", "203.0.113.0/24").status_code == 409
    assert put(http, "allowed", "198.51.100.0/24").status_code == 409
    first = put(http, "allowed", "203.0.113.0/24").raise_for_status().json()
    put(http, "allowed", "198.51.100.0/24").raise_for_status()
    assert http.delete(f"{NETWORKS}/{first['id']}").status_code == 409
    # Taken off in the order that leaves a way in.
    others = [entry for entry in http.get(NETWORKS).json()["data"] if entry["network"] == "198.51.100.0/24"]
    http.delete(f"{NETWORKS}/{others[0]['id']}").raise_for_status()


def test_what_is_no_network_is_refused_and_what_the_settings_name_stays(http):
    for wrong in ("198.51.100.1/24", "everybody", "300.0.0.0/8"):
        assert put(http, "blocked", wrong).status_code == 400
    assert put(http, "banned", "198.51.100.0/24").status_code == 400
    listed = http.get(NETWORKS).json()["data"]
    assert [(entry["id"], entry["network"]) for entry in listed] == [(None, "192.0.2.0/24")]
    assert status_at(http, "192.0.2.9") == 403
    assert http.delete(f"{NETWORKS}/net_01jd6qx2v7c8e9f0g1h2j3k4m5").status_code == 404
    put(http, "blocked", "198.51.100.0/24").raise_for_status()
    assert put(http, "blocked", "198.51.100.0/24").status_code == 409


def test_a_network_can_be_spared_the_counting(http):
    put(http, "unlimited", "198.51.100.0/24").raise_for_status()
    assert {"list": "unlimited", "network": "198.51.100.0/24"}.items() <= http.get(NETWORKS).json()["data"][-1].items()
