"""Every act that is declared is written down when it is done, and refusals that come in bursts raise alarms.

An act that no test here brings about names the test elsewhere that does; a new one without either fails.
"""

from __future__ import annotations

import itertools
import re
import time
from datetime import timedelta
from pathlib import Path

import pytest
from httpkit.people import GOOD, Person, an_address, bearing, somebody

import filewright.converter.bootstrap
from filewright.chassis.audit.acts import REGISTERED
from filewright.chassis.audit.alarms import PATTERNS
from filewright.chassis.audit.verify import verify
from filewright.converter.accounts.api_keys import KeyOrder
from filewright.converter.tiers import EVERYBODYS_SCOPES, Caller, Tiers

assert filewright.converter.bootstrap  # all features are imported, so all acts are declared
TESTS = Path(__file__).parents[2]
ELSEWHERE = {
    "session.reused": "chassis/identity/test_sessions.py",
    "signing_key.made": "converter/commands/operators/test_admin.py",
    "account.known": "converter/accounts/test_service.py",
    "account.disabled": "converter/accounts/test_service.py",
    "account.enabled": "converter/accounts/test_service.py",
    "email.verified": "converter/accounts/test_service.py",
    "password.reset": "converter/accounts/test_service.py",
    "identity.linked": "converter/http/test_elsewhere.py",
    "key.new_network": "converter/accounts/test_bearers.py",
    "erasure.done": "converter/privacy/test_erasing.py",
    "scan.infected": "converter/jobs/running/test_scanning.py",
    "quarantine.begun": "converter/jobs/running/test_runner.py",
    "quarantine.released": "converter/http/test_admin.py",
    "quarantine.deleted": "converter/http/test_admin.py",
    "font.added": "converter/fonts/test_service.py",
    "font.deleted": "converter/fonts/test_service.py",
    "account.credited": "converter/http/test_admin.py",
    "flag.set": "converter/http/test_admin.py",
    "flag.removed": "converter/http/test_admin.py",
    "flag.halted": "chassis/flags/test_flags.py",
    "network.listed": "converter/http/test_networks.py",
    "network.removed": "converter/http/test_networks.py",
    "webhook.switched_off": "converter/webhooks/test_delivery.py",
    "webhook.replayed": "converter/webhooks/test_delivery.py",
    "master_key.rotated": "converter/http/test_encryption.py",
}
HOOK = {"url": "https://example.com/hook"}
_NETWORKS = itertools.count(1)


@pytest.fixture(scope="module")
def service(tmp_path_factory, serve):
    """One that believes a proxy on this machine, with alarms that go off early, and an operator who gets letters."""
    settings = {
        "trusted_proxies": ("127.0.0.0/8",),
        "blocked_networks": ("192.0.2.0/24",),
        "alarms": ",".join(f"{name}=3/600" for name in PATTERNS),
        "alarm_mail": "operator@example.com",
    }
    with serve(tmp_path_factory.mktemp("audit"), local=False, as_set=True, settings=settings) as live:
        yield live


@pytest.fixture
def network():
    """An address that nothing has come from yet."""
    number = next(_NETWORKS)
    return f"10.{number // 250}.{number % 250}.7"


@pytest.fixture
def http(service, network):
    with service.client_inside(headers={"X-Forwarded-For": network}) as client:
        yield client


@pytest.fixture(scope="module")
def operator(service):
    email, accounts = an_address(), service.world.people.accounts
    service.call(lambda: accounts.create(email, GOOD, role="admin", tier="free", actor="tests"))
    with service.client_inside(headers={"X-Forwarded-For": "10.9.9.9"}) as client:
        return Person(email, client.post("/v1/auth/login", json={"email": email, "password": GOOD}).json())


@pytest.fixture
def acts(http, operator):
    """Acts with that name, as soon as there are any."""

    def look(action, **wanted):
        deadline = time.monotonic() + 30
        while True:
            params = {"action": action, "limit": 100, **wanted}
            found = http.get("/v1/admin/audit", params=params, headers=operator.headers).raise_for_status().json()
            if found["data"] or time.monotonic() > deadline:
                return found["data"]
            time.sleep(0.1)

    return look


def me(http, person):
    return http.get("/v1/me", headers=person.headers).raise_for_status().json()["id"]


# --- one for each act: what brings it about, and whose it is ------------------------------------------------------


def opens_an_account(http, world):
    return {"subject": me(http, somebody(http))}


def fails_to_sign_in(http, world):
    person = somebody(http)
    http.post("/v1/auth/login", json={"email": person.email, "password": "wrong " + GOOD})
    return {"subject": me(http, person)}


def is_kept_from_trying(http, world):
    email = an_address()
    for _ in range(12):
        http.post("/v1/auth/login", json={"email": email, "password": "wrong " + GOOD})
    return {}


def signs_out(http, world):
    person = somebody(http)
    http.post("/v1/auth/logout", headers=person.headers).raise_for_status()
    return {"subject": person.tokens["session"]}


def signs_in(http, world):
    return {"subject": somebody(http).tokens["session"]}


def refreshes(http, world):
    person = somebody(http)
    http.post("/v1/auth/refresh", json={"refresh_token": person.tokens["refresh_token"]}).raise_for_status()
    return {"subject": person.tokens["session"]}


def asks_for_a_letter(http, world):
    email = an_address()
    http.post("/v1/auth/password/forgot", json={"email": email}).raise_for_status()
    return {"subject": f"email:{email}"}


def guesses_a_code(http, world):
    http.post("/v1/auth/verify", json={"code": "x" * 43})
    return {}


def changes_the_password(http, world):
    person = somebody(http)
    body = {"current_password": GOOD, "new_password": "quite another " + GOOD}
    http.post("/v1/me/password", json=body, headers=person.headers).raise_for_status()
    return {"subject": me(http, person)}


def gets_another_tier(http, world):
    return {"subject": me(http, somebody(http)), "tier": "premium"}


def makes_a_key(http, world):
    return {"subject": somebody(http).key(http, ["jobs:read"])["id"]}


def revokes_a_key(http, world):
    person = somebody(http)
    key = person.key(http, ["jobs:read"])["id"]
    http.delete(f"/v1/api-keys/{key}", headers=person.headers).raise_for_status()
    return {"subject": key}


def uses_a_key_that_is_past(http, world):
    async def made():
        now = world.clock.now()
        user = await world.people.accounts.create(an_address(), None, role="user", tier="free", actor="tests")
        caller = Caller(user.tenant, Tiers().named("free"), EVERYBODYS_SCOPES, user=user.id)
        order = KeyOrder("soon", frozenset({"account:read"}), expires_at=now + timedelta(milliseconds=1500))
        return await world.people.keys.create(caller, order)

    row, key = http.live.call(made)
    deadline = time.monotonic() + 30
    while http.get("/v1/me", headers=bearing(key.text)).status_code == 200 and time.monotonic() < deadline:
        time.sleep(0.1)
    return {"subject": row.id}


def uses_a_key_from_elsewhere(http, world):
    key = somebody(http).key(http, ["account:read"], networks=["198.51.100.0/24"])
    assert http.get("/v1/me", headers=bearing(key["key"])).status_code == 403
    return {"subject": key["id"]}


def brings_a_forged_token(http, world):
    http.get("/v1/me", headers=bearing("eyJhbGciOiJub25lIn0.e30."))
    return {}


def asks_for_more_than_the_key_may(http, world):
    key = somebody(http).key(http, ["jobs:read"])
    http.get("/v1/me", headers=bearing(key["key"]))
    return {"actor": key["id"]}


def knocks_at_the_operators_door(http, world):
    person = somebody(http)
    http.get("/v1/admin/users", headers=person.headers)
    return {"actor": me(http, person)}


def looks_as_an_operator(http, world):
    return {"subject": "/v1/admin/audit"}


def comes_from_a_blocked_network(http, world):
    http.get("/v1/formats", headers={"X-Forwarded-For": "192.0.2.9"})
    return {"actor": "ip:192.0.2.9"}


def orders_from_inside(http, world):
    http.post("/v1/jobs", json={"inputs": [{"url": "http://10.0.0.1/a.txt"}], "to": "md"})
    return {}


def takes_an_export(http, world):
    person = somebody(http)
    http.get("/v1/me/export", headers=person.headers).raise_for_status()
    return {"tenant": me(http, person)}


def asks_to_be_erased(http, world):
    person = somebody(http)
    tenant = me(http, person)
    ordered = http.delete("/v1/me", headers=person.headers).raise_for_status().json()["id"]
    return {"tenant": tenant, "subject": ordered}


def registers_a_webhook(http, world):
    person = somebody(http)
    return {"subject": http.post("/v1/webhooks", json=HOOK, headers=person.headers).raise_for_status().json()["id"]}


def changes_a_webhook(http, world):
    person = somebody(http)
    hook = http.post("/v1/webhooks", json=HOOK, headers=person.headers).raise_for_status().json()["id"]
    http.patch(f"/v1/webhooks/{hook}", json={"enabled": False}, headers=person.headers).raise_for_status()
    http.post(f"/v1/webhooks/{hook}/rotate", headers=person.headers).raise_for_status()
    http.delete(f"/v1/webhooks/{hook}", headers=person.headers).raise_for_status()
    return {"subject": hook}


SCENES = {
    "account.opened": opens_an_account, "account.changed": gets_another_tier, "session.begun": signs_in,
    "session.refreshed": refreshes, "session.ended": signs_out, "login.failed": fails_to_sign_in,
    "login.blocked": is_kept_from_trying, "letter.asked": asks_for_a_letter, "code.refused": guesses_a_code,
    "password.changed": changes_the_password, "key.created": makes_a_key, "key.revoked": revokes_a_key,
    "key.expired": uses_a_key_that_is_past, "key.misplaced": uses_a_key_from_elsewhere,
    "token.refused": brings_a_forged_token, "request.denied": asks_for_more_than_the_key_may,
    "admin.denied": knocks_at_the_operators_door, "admin.looked": looks_as_an_operator,
    "network.refused": comes_from_a_blocked_network, "source.forbidden": orders_from_inside,
    "export.taken": takes_an_export, "erasure.asked": asks_to_be_erased, "webhook.created": registers_a_webhook,
    "webhook.changed": changes_a_webhook, "webhook.secret_rotated": changes_a_webhook,
    "webhook.deleted": changes_a_webhook, "alarm.raised": knocks_at_the_operators_door,
}  # fmt: skip


@pytest.mark.requirement("S29")
def test_each_act_that_is_declared_is_brought_about_by_a_test():
    assert set(REGISTERED) == set(SCENES) | set(ELSEWHERE)
    for act, path in ELSEWHERE.items():
        assert f'"{act}"' in (TESTS / path).read_text(), f"{path} says nothing of {act}"


@pytest.mark.requirement("S29")
@pytest.mark.parametrize("act", sorted(set(SCENES) - {"alarm.raised"}))
@pytest.mark.sampled(2)
def test_what_is_done_or_refused_is_in_the_log_and_names_nobody(act, service, http, operator, acts, network):
    http.live = service
    wanted = SCENES[act](http, service.world)
    if tier := wanted.pop("tier", None):
        path = f"/v1/admin/users/{wanted['subject']}"
        http.patch(path, json={"tier": tier}, headers=operator.headers).raise_for_status()
    if not wanted:
        wanted = {"actor": f"ip:{network}"}
    found = acts(act, **wanted)
    assert found, f"{act}: {wanted}"
    assert not re.search(r"\d+\.\d+\.\d+\.\d+|@", str([list(row.values()) for row in found]))


@pytest.mark.requirement("S29", "K8", "S11")
@pytest.mark.parametrize(
    ("pattern", "scene"),
    [
        ("login_failed_network", fails_to_sign_in),
        ("token_forged", brings_a_forged_token),
        ("scope_denied", None),
        ("admin_denied", None),
        ("enumeration", None),
        ("source_forbidden", orders_from_inside),
        ("limits_hammered", None),
        ("key_misplaced", None),
        ("login_failed", None),
        ("refresh_reused", None),
        ("network_refused", comes_from_a_blocked_network),
    ],
)
def test_what_looks_like_abuse_raises_an_alarm_that_an_operator_sees(pattern, scene, service, http, operator, network):
    bursts = {
        "scope_denied": burst_of_denials, "admin_denied": burst_at_the_operators_door, "enumeration": burst_of_guesses,
        "limits_hammered": burst_of_orders, "key_misplaced": burst_of_misplaced_keys,
        "login_failed": burst_of_passwords, "refresh_reused": burst_of_reuse,
    }  # fmt: skip
    for _ in range(3 if scene else 1):
        (scene or bursts[pattern])(http, service.world)
    deadline = time.monotonic() + 30
    raised = []
    while not raised and time.monotonic() < deadline:
        page = http.get("/v1/admin/alarms", headers=operator.headers).raise_for_status().json()
        raised = [alarm for alarm in page["data"] if alarm["pattern"] == pattern]
        time.sleep(0.05)
    assert raised
    assert raised[0]["times"] == 3
    assert network not in str(raised)


def burst_of_denials(http, world):
    key = bearing(somebody(http).key(http, ["jobs:read"])["key"])
    for _ in range(3):
        assert http.get("/v1/me", headers=key).status_code == 403


def burst_at_the_operators_door(http, world):
    for _ in range(3):
        assert http.get("/v1/admin/audit").status_code == 403


def burst_of_guesses(http, world):
    for n in range(3):
        assert http.get(f"/v1/jobs/job_01jd6qx2v7c8e9f0g1h2j3k4m{n}").status_code == 404


def burst_of_orders(http, world):
    refused = 0
    for _ in range(40):
        refused += (
            http.post("/v1/jobs", json={"inputs": [{"upload": "upl_" + "0" * 26}], "to": "pdf"}).status_code == 429
        )
        if refused == 3:
            return
    raise AssertionError("nobody was limited")


def burst_of_misplaced_keys(http, world):
    key = bearing(somebody(http).key(http, ["account:read"], networks=["198.51.100.0/24"])["key"])
    for _ in range(3):
        assert http.get("/v1/me", headers=key).status_code == 403


def burst_of_passwords(http, world):
    person = somebody(http)
    for _ in range(3):
        http.post("/v1/auth/login", json={"email": person.email, "password": "wrong " + GOOD})


def burst_of_reuse(http, world):
    """Of one account: each of its sessions is copied."""
    person = somebody(http)
    for _ in range(3):
        login = {"email": person.email, "password": GOOD}
        old = {"refresh_token": http.post("/v1/auth/login", json=login).raise_for_status().json()["refresh_token"]}
        http.post("/v1/auth/refresh", json=old).raise_for_status()
        assert http.post("/v1/auth/refresh", json=old).status_code == 401


@pytest.mark.requirement("K8")
def test_the_operator_gets_a_letter_about_an_alarm(service, http):
    burst_at_the_operators_door(http, service.world)
    deadline, found = time.monotonic() + 30, []
    while not found and time.monotonic() < deadline:
        letters = [path.read_text() for path in service.data.rglob("letters/*") if path.is_file()]
        found = [text for text in letters if "Filewright alarm: admin_denied" in text]
        time.sleep(0.05)
    assert found
    assert "operator@example.com" in found[0]


@pytest.mark.requirement("S29")
def test_after_all_of_it_and_an_erasure_the_chain_is_whole(service, http):
    asks_to_be_erased(http, service.world)
    world = service.world
    verdict = service.call(lambda: verify(world.database, world.seals))
    assert verdict.good, verdict.findings
    assert verdict.rows > 10
