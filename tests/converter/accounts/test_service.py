"""Accounts without HTTP: that the same work is done whoever is asked about, and what operators decide."""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from accountkit import Accounts
from sqlalchemy import func, select

import filewright
from filewright.chassis.audit.alarms import Alarms
from filewright.chassis.audit.log import Audit
from filewright.chassis.audit.models import AuditLogRow
from filewright.chassis.audit.seals import Seals
from filewright.chassis.audit.watch import Watch
from filewright.chassis.coordination.memory import MemoryNotifier
from filewright.chassis.identity.access import BELIEVED, AccessTokens
from filewright.chassis.identity.known_passwords import FrequentPasswords
from filewright.chassis.identity.models import EmailCodeRow, UserRow
from filewright.chassis.identity.passwords import Cost, Passwords
from filewright.chassis.identity.refresh import RefreshTokens
from filewright.chassis.identity.sessions import Origin, Sessions
from filewright.chassis.identity.signing import SigningKeys
from filewright.chassis.ids import RandomIds
from filewright.chassis.mail.outbox import MailOutbox, MailRow
from filewright.chassis.sealing import Box, derived
from filewright.chassis.telemetry.metrics import Metrics
from filewright.chassis.testing.clock import FakeClock
from filewright.chassis.web.problems import Forbidden, Unauthenticated
from filewright.converter.accounts.choosing import Choosing
from filewright.converter.accounts.codes import MOST_AN_HOUR, Codes
from filewright.converter.accounts.letters import Letters
from filewright.converter.accounts.opening import AccountRules
from filewright.converter.accounts.signing_in import FACTS
from tablekit import migrated

SECRET = b"a secret of the tests, of thirty-two bytes and more"
GOOD = "rather long and unheard of"
KNOWN, UNKNOWN = "ada@example.com", "nobody@example.com"


@pytest.fixture
def database_schema():
    return migrated


@pytest.fixture
def database_clock():
    return FakeClock()


class Counted(Passwords):
    """Counts what is asked of it."""

    def __init__(self):
        super().__init__(Cost(passes=1, memory_kib=64))
        self.asked = Counter()

    async def hash(self, password):
        self.asked["hash"] += 1
        return await super().hash(password)

    async def verify(self, known, password):
        self.asked["verify"] += 1
        return await super().verify(known, password)


class Nowhere:
    """Carries letters to where the test looks."""

    def __init__(self):
        self.letters = []

    async def send(self, letter, message_id):
        self.letters.append(letter)


@pytest.fixture
def parts(database, database_clock):
    clock, ids = database_clock, RandomIds(database_clock)
    audit = Audit(database, Seals(SECRET))
    signing = SigningKeys(database, Box(SECRET, "signing"), ids, clock, audit, token_life=BELIEVED)
    mail = Nowhere()
    return {
        "database": database,
        "passwords": Counted(),
        "choosing": Choosing(FrequentPasswords()),
        "codes": Codes(database),
        "sessions": Sessions(database, RefreshTokens(derived(SECRET, "r")), ids, clock, MemoryNotifier(), audit),
        "access": AccessTokens(signing, ids, clock, service="tests", facts=FACTS),
        "outbox": MailOutbox(database, mail, Box(SECRET, "letters"), ids, Metrics(), MemoryNotifier()),
        "letters": Letters(),
        "ids": ids,
        "rules": AccountRules(),
        "audit": audit,
        "watch": Watch(database, audit, Alarms(clock, Metrics()), clock, Metrics()),
    }


@pytest.fixture
async def accounts(parts):
    found = Accounts(**parts)
    await found.register(KNOWN, GOOD)
    parts["passwords"].asked.clear()
    return found


async def rows(database):
    async with database.read() as session:
        return {
            table.__tablename__: await session.scalar(select(func.count()).select_from(table))
            for table in (EmailCodeRow, MailRow, UserRow)
        }


async def acts(database):
    """All that is written down, in its order."""
    async with database.read() as session:
        return (await session.scalars(select(AuditLogRow.action).order_by(AuditLogRow.id))).all()


@pytest.mark.requirement("S9")
async def test_the_same_work_is_done_for_an_address_with_an_account_and_one_without(accounts, parts, database):
    done = {}
    for email in (KNOWN, UNKNOWN):
        before = await rows(database)
        for ask in (accounts.ask_for_reset, accounts.ask_for_verification):
            await ask(email)
        with pytest.raises(Unauthenticated):
            await accounts.login(email, "wrong " + GOOD, Origin())
        after = await rows(database)
        done[email] = ({name: after[name] - before[name] for name in after}, dict(parts["passwords"].asked))
        parts["passwords"].asked.clear()
    assert done[KNOWN] == done[UNKNOWN]
    assert done[KNOWN][1] == {"verify": 1}


@pytest.mark.requirement("S9")
async def test_signing_up_costs_the_same_for_an_address_that_is_taken(accounts, parts, database):
    done = []
    for email in (KNOWN, UNKNOWN):
        before = await rows(database)
        await accounts.register(email, GOOD)
        after = await rows(database)
        done.append(
            (
                {name: after[name] - before[name] for name in ("email_codes", "mail_outbox")},
                dict(parts["passwords"].asked),
            )
        )
        parts["passwords"].asked.clear()
    assert done[0] == done[1]
    assert await acts(database) == ["account.opened", "account.known", "account.opened"]


async def test_nobody_is_written_to_who_has_no_account(accounts, parts):
    await accounts.ask_for_reset(UNKNOWN)
    await accounts.ask_for_reset(KNOWN)
    while await parts["outbox"].send_once():
        pass
    assert {letter.to for letter in parts["outbox"]._mail.letters} == {KNOWN}


async def test_nobody_is_buried_in_letters(accounts, parts):
    for _ in range(3 * MOST_AN_HOUR):
        await accounts.ask_for_reset(KNOWN)
    while await parts["outbox"].send_once():
        pass
    assert len(parts["outbox"]._mail.letters) == MOST_AN_HOUR


@pytest.mark.requirement("S8")
async def test_a_password_is_hashed_anew_at_the_next_login_when_the_parameters_have_changed(accounts, parts, database):
    await accounts.login(KNOWN, GOOD, Origin())
    before = (await accounts.find(KNOWN)).password_hash
    dearer = Accounts(**{**parts, "passwords": Passwords(Cost(passes=2, memory_kib=128))})
    await dearer.login(KNOWN, GOOD, Origin())
    after = (await accounts.find(KNOWN)).password_hash
    assert before != after
    assert "m=128,t=2" in after
    assert await dearer.login(KNOWN, GOOD, Origin())


async def test_where_addresses_must_be_confirmed_a_password_alone_lets_nobody_in(accounts, parts, database):
    strict = Accounts(**{**parts, "rules": AccountRules(verified_only=True)})
    with pytest.raises(Forbidden):
        await strict.login(KNOWN, GOOD, Origin())
    with pytest.raises(Unauthenticated):
        await strict.login(KNOWN, "wrong " + GOOD, Origin())
    await parts["outbox"].send_once()
    (letter,) = parts["outbox"]._mail.letters
    await strict.verify(letter.text.split("    ")[1].split()[0], Origin())
    assert await strict.login(KNOWN, GOOD, Origin())
    assert "email.verified" in await acts(database)


@pytest.mark.requirement("S29")
async def test_a_password_that_was_set_anew_is_written_down(accounts, parts, database):
    await accounts.ask_for_reset(KNOWN)
    while await parts["outbox"].send_once():
        pass
    letter = parts["outbox"]._mail.letters[-1]
    await accounts.reset(letter.text.split("    ")[1].split()[0], "quite another " + GOOD, Origin())
    assert (await acts(database))[-2:] == ["letter.asked", "password.reset"]


async def test_where_sign_up_is_closed_only_the_operator_opens_accounts(parts):
    closed = Accounts(**{**parts, "rules": AccountRules(open_to_all=False)})
    with pytest.raises(Forbidden):
        await closed.register(KNOWN, GOOD)
    made = await closed.create(KNOWN, GOOD, role="admin", tier="premium", actor="an operator")
    assert (made.role, made.tier, made.tenant) == ("admin", "premium", made.id)
    assert "admin" in (await closed.login(KNOWN, GOOD, Origin())).scopes


@pytest.mark.requirement("S5")
async def test_a_shut_account_is_out_at_once_and_in_again_when_it_is_opened(accounts, parts, database):
    user = await accounts.find(KNOWN)
    tokens = await accounts.login(KNOWN, GOOD, Origin())
    await accounts.set_disabled(user.id, disabled=True, actor="an operator")
    assert parts["sessions"].is_over(tokens.session)
    for refused in (accounts.login(KNOWN, GOOD, Origin()), accounts.refresh(tokens.refresh)):
        with pytest.raises(Unauthenticated):
            await refused
    await accounts.set_disabled(user.id, disabled=False, actor="an operator")
    assert await accounts.login(KNOWN, GOOD, Origin())
    assert [act for act in await acts(database) if "abled" in act] == ["account.disabled", "account.enabled"]


@pytest.mark.requirement("S5")
async def test_an_admin_who_is_none_any_more_is_signed_out(accounts, parts):
    user = await accounts.find(KNOWN)
    await accounts.change(user.id, role="admin", actor="an operator")
    tokens = await accounts.login(KNOWN, GOOD, Origin())
    assert "admin" in tokens.scopes
    await accounts.change(user.id, role="user", actor="an operator")
    assert parts["sessions"].is_over(tokens.session)
    assert "admin" not in (await accounts.login(KNOWN, GOOD, Origin())).scopes


def test_letters_lead_to_the_page_where_the_service_has_an_address():
    letter = replace(Letters(), public_url="https://files.example.com").reset(KNOWN, "the-code")
    assert "https://files.example.com/account/reset#code=the-code" in letter.text
    assert "://" not in Letters().reset(KNOWN, "the-code").text


SECRET_NAMES = {
    "password",
    "token",
    "secret",
    "mark",
    "nonce",
    "state",
    "verifier",
    "code",
    "sha256",
    "signature",
    "digest",
}


@pytest.mark.requirement("S10")
def test_no_secret_is_compared_with_an_equals_sign():
    """In all that handles them; in SQL digests are looked up, which tells nothing of what they are made of."""
    root = Path(filewright.__file__).parent
    found, looked_at = [], 0
    for path in [*(root / "chassis/identity").glob("*.py"), *(root / "converter/accounts").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare) and any(isinstance(sign, ast.Eq | ast.NotEq) for sign in node.ops):
                looked_at += 1
                sides = [ast.unparse(side) for side in (node.left, *node.comparators)]
                if any(side.split(".")[0].endswith("Row") for side in sides):
                    continue
                if any(side.strip("()").split(".")[-1].removeprefix("untrusted_") in SECRET_NAMES for side in sides):
                    found.append(f"{path.name}:{node.lineno}: {ast.unparse(node)}")
    assert not found
    assert looked_at > 10
