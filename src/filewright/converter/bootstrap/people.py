"""Everything about people: who they are, how they sign in, and what is written to them."""

from __future__ import annotations

from dataclasses import dataclass

from filewright.chassis.audit.alarms import parse_patterns
from filewright.chassis.audit.log import Audit
from filewright.chassis.audit.watch import Watch
from filewright.chassis.db.database import Database
from filewright.chassis.identity.access import BELIEVED, AccessTokens
from filewright.chassis.identity.known_passwords import AnyOf, BreachedPasswords, FrequentPasswords
from filewright.chassis.identity.marks import SessionMarks
from filewright.chassis.identity.oidc import Provider
from filewright.chassis.identity.passwords import Passwords
from filewright.chassis.identity.refresh import RefreshTokens
from filewright.chassis.identity.sessions import Sessions
from filewright.chassis.identity.signing import SigningKeys
from filewright.chassis.ids import IdSource
from filewright.chassis.mail.folder import FolderMail
from filewright.chassis.mail.outbox import MailOutbox
from filewright.chassis.mail.port import Mail
from filewright.chassis.mail.smtp import SmtpMail
from filewright.chassis.sealing import Box, derived
from filewright.chassis.web.idempotency import IdempotencyKeys
from filewright.converter.accounts.account_passwords import AccountPasswords
from filewright.converter.accounts.api_keys import ApiKeys
from filewright.converter.accounts.choosing import Choosing
from filewright.converter.accounts.code_letters import CodeLetters
from filewright.converter.accounts.codes import Codes
from filewright.converter.accounts.cookies import Cookies
from filewright.converter.accounts.elsewhere import Elsewhere
from filewright.converter.accounts.letters import Letters
from filewright.converter.accounts.logbook import Logbook
from filewright.converter.accounts.managing import Accounts
from filewright.converter.accounts.opening import AccountRules, Opening
from filewright.converter.accounts.own_account import OwnAccount
from filewright.converter.accounts.people import People
from filewright.converter.accounts.private import PrivateAnswers
from filewright.converter.accounts.recovery import Recovery
from filewright.converter.accounts.signing_in import FACTS, SigningIn
from filewright.converter.accounts.signing_up import SigningUp
from filewright.converter.bootstrap.platform import Desk
from filewright.converter.maintenance.telling import AlarmCalls, AlarmLetters
from filewright.converter.settings import Settings


def people_on(on: Desk, idempotency: IdempotencyKeys) -> People:
    settings, database = on.settings, on.database
    known = FrequentPasswords()
    breached = settings.breached_passwords_file
    signing = SigningKeys(
        database, Box(on.secret, "filewright signing keys"), on.ids, on.clock, on.audit, token_life=BELIEVED
    )
    access = AccessTokens(signing, on.ids, on.clock, service="filewright", facts=FACTS)
    refresh = RefreshTokens(derived(on.secret, "filewright refresh tokens"))
    sessions = Sessions(database, refresh, on.ids, on.clock, on.notifier, on.audit)
    outbox = MailOutbox(
        database, _mail(settings), Box(on.secret, "filewright letters"), on.ids, on.metrics, on.notifier
    )
    codes = Codes(database)
    having = accounts_on(
        database=database,
        passwords=Passwords(),
        choosing=Choosing(AnyOf(known, BreachedPasswords(breached)) if breached else known),
        codes=codes,
        sessions=sessions,
        access=access,
        outbox=outbox,
        letters=Letters(settings.public_url),
        ids=on.ids,
        rules=AccountRules(open_to_all=settings.registration == "open", verified_only=settings.mail_url is not None),
        audit=on.audit,
        watch=on.watch,
    )
    keys = ApiKeys(database, on.cache, on.ids, on.clock, on.audit)
    offered = settings.provider
    provider = Provider(offered, on.egress, on.clock) if offered is not None else None
    box = Box(on.secret, "filewright sign-ins elsewhere")
    _alarms(on, outbox)
    return People(
        accounts=having.accounts,
        signing_up=having.signing_up,
        signing_in=having.signing_in,
        recovery=having.recovery,
        own=having.own,
        keys=keys,
        elsewhere=Elsewhere(
            provider, having.opening, having.signing_in, sessions, keys, database, box, on.clock, on.audit, on.watch
        ),
        codes=codes,
        sessions=sessions,
        cookies=Cookies(SessionMarks(derived(on.secret, "filewright session cookies")), sessions, database, on.cache),
        access=access,
        signing=signing,
        outbox=outbox,
        private=PrivateAnswers(idempotency, on.secret),
        clock=on.clock,
        watch=on.watch,
    )


@dataclass(frozen=True)
class HavingAccounts:
    """What people and operators do with accounts, and what it stands on."""

    opening: Opening
    signing_up: SigningUp
    signing_in: SigningIn
    recovery: Recovery
    own: OwnAccount
    accounts: Accounts


def accounts_on(
    *,
    database: Database,
    passwords: Passwords,
    choosing: Choosing,
    codes: Codes,
    sessions: Sessions,
    access: AccessTokens,
    outbox: MailOutbox,
    letters: Letters,
    ids: IdSource,
    rules: AccountRules,
    audit: Audit,
    watch: Watch,
) -> HavingAccounts:
    logbook = Logbook(audit, watch)
    opening = Opening(database, ids, rules, logbook)
    theirs = AccountPasswords(database, passwords, choosing, codes, outbox, letters)
    code_letters = CodeLetters(database, codes, outbox, letters, ids, logbook)
    return HavingAccounts(
        opening=opening,
        signing_up=SigningUp(database, opening, theirs, code_letters, logbook),
        signing_in=SigningIn(database, sessions, access, theirs, rules, logbook),
        recovery=Recovery(database, sessions, theirs, code_letters, logbook),
        own=OwnAccount(database, sessions, theirs, logbook),
        accounts=Accounts(database, sessions, opening, theirs, ids, logbook),
    )


def _alarms(on: Desk, outbox: MailOutbox) -> None:
    """Tell whom the operator named."""
    settings = on.settings
    patterns = parse_patterns(settings.alarms)
    if settings.alarm_mail is not None:
        on.watch.tell(AlarmLetters(outbox, settings.alarm_mail, patterns).tell)
    if settings.alarm_url is not None:
        on.watch.tell_afterwards(AlarmCalls(on.egress, settings.alarm_url, patterns, on.audit.mark).tell)


def _mail(settings: Settings) -> Mail:
    """By SMTP where there is a server; else into a folder, for the operator to look at."""
    server = settings.mail_server
    if server is None:
        return FolderMail(settings.data_dir.absolute() / "letters", settings.mail_from)
    return SmtpMail(server, settings.mail_from)
