"""Letters reach a real SMTP server, or a folder; what cannot go now goes later, once."""

from __future__ import annotations

import email
import socket
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import policy

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import select

from filewright.chassis.coordination.memory import MemoryNotifier
from filewright.chassis.ids import RandomIds
from filewright.chassis.mail.folder import FolderMail
from filewright.chassis.mail.outbox import MOST_ATTEMPTS, MailOutbox, MailRow
from filewright.chassis.mail.port import Letter, MailRefused, MailUnavailable
from filewright.chassis.mail.smtp import SmtpMail
from filewright.chassis.mail.smtp_address import SmtpServer, parse_smtp_address
from filewright.chassis.sealing import Box
from filewright.chassis.telemetry.metrics import Metrics
from filewright.chassis.testing.clock import FakeClock
from tablekit import migrated

LETTER = Letter("ada@example.com", "Grüße", "Your code:\n\n    abc\n\nä ö ü.\n")
SENDER = "Filewright <files@example.com>"


class Postmaster:
    """Takes letters, or answers as it is told."""

    def __init__(self) -> None:
        self.letters: list[Envelope] = []
        self.recipient = self.data = ""

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 - its name there
        if self.recipient:
            return self.recipient
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        if self.data:
            return self.data
        self.letters.append(envelope)
        return "250 OK"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """For 127.0.0.1, signed by itself."""
    import ipaddress

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def postmaster():
    return Postmaster()


@pytest.fixture
def server(postmaster, certificate):
    """One that wants STARTTLS and a password."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def check(server, session, envelope, mechanism, data):
        good = (data.login, data.password) == (b"filewright", b"pass word")
        return AuthResult(success=good, handled=False)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(
        postmaster,
        hostname="127.0.0.1",
        port=port,
        tls_context=context,
        require_starttls=True,
        authenticator=check,
        auth_required=True,
    )
    controller.start()
    yield SmtpServer("127.0.0.1", port, "starttls", "filewright", "pass word")
    controller.stop()


@pytest.fixture
def trust(certificate):
    return ssl.create_default_context(cafile=certificate)


async def test_a_letter_arrives_encrypted_and_whole(server, trust, postmaster):
    await SmtpMail(server, SENDER, trust=trust).send(LETTER, "ltr_1")
    envelope = postmaster.letters[0]
    message = email.message_from_bytes(envelope.content, policy=policy.default)
    assert envelope.rcpt_tos == ["ada@example.com"]
    assert (message["From"], message["To"], message["Subject"]) == (SENDER, "ada@example.com", "Grüße")
    assert message["Message-ID"] == "<ltr_1@example.com>"
    assert message.get_content().replace("\r\n", "\n") == LETTER.text


@pytest.mark.requirement("S34")
async def test_a_server_that_cannot_show_who_it_is_gets_no_letter(server, postmaster):
    with pytest.raises(MailUnavailable):
        await SmtpMail(server, SENDER).send(LETTER, "ltr_1")
    assert not postmaster.letters


async def test_a_wrong_password_is_the_operators_to_mend(server, trust, postmaster):
    with pytest.raises(MailUnavailable):
        await SmtpMail(replace(server, password="wrong"), SENDER, trust=trust).send(LETTER, "ltr_1")
    assert not postmaster.letters


@pytest.mark.parametrize(
    ("recipient", "data", "error"),
    [
        ("550 no such user", "", MailRefused),
        ("450 later", "", MailUnavailable),
        ("", "554 spam", MailRefused),
        ("", "451 later", MailUnavailable),
    ],
)
async def test_what_is_refused_for_good_is_told_from_what_may_go_later(
    server, trust, postmaster, recipient, data, error
):
    postmaster.recipient, postmaster.data = recipient, data
    with pytest.raises(error):
        await SmtpMail(server, SENDER, trust=trust).send(LETTER, "ltr_1")


async def test_no_server_is_an_outage(server):
    with pytest.raises(MailUnavailable):
        await SmtpMail(SmtpServer("127.0.0.1", 1, "none"), SENDER).send(LETTER, "ltr_1")


@pytest.mark.parametrize("to", ["a@example.com\nBcc: all@example.com", "a@example.com\r\n\r\nhello"])
async def test_no_address_brings_a_header_of_its_own(tmp_path, server, trust, to, postmaster):
    for mail in (FolderMail(tmp_path / "letters", SENDER), SmtpMail(server, SENDER, trust=trust)):
        with pytest.raises(MailRefused):
            await mail.send(replace(LETTER, to=to), "ltr_1")
    assert not postmaster.letters


async def test_letters_in_a_folder_are_whole_and_their_owners_alone(tmp_path):
    folder = tmp_path / "letters"
    await FolderMail(folder, SENDER).send(LETTER, "ltr_1")
    (path,) = folder.iterdir()
    assert path.name == "ltr_1.eml"
    assert path.stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0
    assert email.message_from_bytes(path.read_bytes(), policy=policy.default).get_content() == LETTER.text


def test_addresses_of_servers_are_read_and_secrets_not_shown():
    server = parse_smtp_address("smtp://me%40x@mail.example.com", "secret")
    assert server == SmtpServer("mail.example.com", 587, "starttls", "me@x", "secret")
    assert "secret" not in repr(server)
    assert parse_smtp_address("smtps://mail.example.com").port == 465
    assert parse_smtp_address("smtp://127.0.0.1?tls=none") == SmtpServer("127.0.0.1", 25, "none")


@pytest.mark.requirement("S34")
@pytest.mark.parametrize(
    "url",
    ["smtp://mail.example.com?tls=none", "http://x", "smtp://", "smtp://me@mail.example.com", "smtp://x?tls=maybe"],
)
def test_an_address_that_is_wrong_or_weak_is_refused(url):
    with pytest.raises(ValueError, match=r"[a-z]"):
        parse_smtp_address(url)


# --- the outbox ------------------------------------------------------------------------------------------------------


@pytest.fixture
def database_schema():
    return migrated


@pytest.fixture
def database_clock():
    return FakeClock()


class Carrier:
    """Takes letters as it is told: each outcome once, then all."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self.outcomes = list(outcomes)
        self.carried: list[tuple[Letter, str]] = []

    async def send(self, letter, message_id):
        if self.outcomes and (error := self.outcomes.pop(0)) is not None:
            raise error
        self.carried.append((letter, message_id))


@pytest.fixture
def outbox(database, database_clock):
    def with_(carrier):
        box = Box(b"a secret of the tests, of thirty-two bytes", "letters")
        return MailOutbox(database, carrier, box, RandomIds(database_clock), Metrics(), MemoryNotifier())

    return with_


async def put(database, outbox, letter=LETTER):
    async with database.write() as session:
        await outbox.put(session, letter, tenant="usr_1")


async def waiting(database):
    async with database.read() as session:
        return (await session.scalars(select(MailRow))).all()


async def test_a_letter_goes_once_and_what_waits_shows_nothing_of_it(database, outbox):
    carrier = Carrier()
    box = outbox(carrier)
    await put(database, box)
    (row,) = await waiting(database)
    assert b"ada" not in row.sealed
    assert await box.send_once() == 1
    assert await box.send_once() == 0
    assert [letter for letter, _ in carrier.carried] == [LETTER]
    assert not await waiting(database)


async def test_a_letter_of_work_that_was_undone_does_not_go(database, outbox):
    carrier = Carrier()
    box = outbox(carrier)
    with pytest.raises(RuntimeError):
        async with database.write() as session:
            await box.put(session, LETTER, tenant="usr_1")
            raise RuntimeError
    assert await box.send_once() == 0
    assert not carrier.carried


async def test_what_cannot_go_now_goes_later_with_the_same_id(database, outbox, database_clock):
    carrier = Carrier(MailUnavailable(), MailUnavailable())
    box = outbox(carrier)
    await put(database, box)
    (row,) = await waiting(database)
    assert await box.send_once() == 1
    assert await box.send_once() == 0, "not at once"
    for _ in range(2):
        await database_clock.advance(120)
        await box.send_once()
    assert [message_id for _, message_id in carrier.carried] == [row.id]
    assert not await waiting(database)


async def test_what_nobody_takes_is_given_up_in_the_end(database, outbox, database_clock):
    carrier = Carrier(*[MailUnavailable()] * 100)
    box = outbox(carrier)
    await put(database, box)
    tries = 0
    while await waiting(database):
        tries += await box.send_once()
        await database_clock.advance(1900)
    assert tries == MOST_ATTEMPTS


async def test_what_is_refused_for_good_and_what_is_for_nobody_waits_no_longer(database, outbox):
    carrier = Carrier(MailRefused())
    box = outbox(carrier)
    await put(database, box)
    await put(database, box, replace(LETTER, to=""))
    assert [await box.send_once() for _ in range(3)] == [1, 1, 0]
    assert not carrier.carried
    assert not await waiting(database)


async def test_two_processes_do_not_send_one_letter_twice(database, outbox):
    carrier = Carrier()
    boxes = [outbox(carrier), outbox(carrier)]
    for _ in range(6):
        await put(database, boxes[0])
    for _ in range(4):
        for box in boxes:
            await box.send_once()
    assert len({message_id for _, message_id in carrier.carried}) == len(carrier.carried) == 6
