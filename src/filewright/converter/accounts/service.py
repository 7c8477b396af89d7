"""Accounts: what a person does to get in, to stay in, and to get back in.

Whoever is not signed in learns nothing about who has an account: what is answered to an address with an account and to
one without is the same, to the letter, and made by the same work (`codes.py`, `chassis.identity.passwords`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import select, update

from filewright.chassis.audit.acts import Act
from filewright.chassis.audit.log import DENIED, FAILED, SYSTEM, Audit
from filewright.chassis.audit.names import EMAIL
from filewright.chassis.audit.watch import Note, Watch
from filewright.chassis.db import acting
from filewright.chassis.db.database import Database, ReadSession, WriteSession
from filewright.chassis.db.dialect import insert_or_ignore
from filewright.chassis.identity.access import LIFE, Access, AccessTokens
from filewright.chassis.identity.models import UserRow
from filewright.chassis.identity.passwords import Passwords, TooManyHashes
from filewright.chassis.identity.sessions import End, Origin, RefreshRefused, RefreshReused, Sessions, UserSessionRow
from filewright.chassis.ids import IdSource
from filewright.chassis.mail.outbox import MailOutbox
from filewright.chassis.mail.port import Letter
from filewright.chassis.telemetry.logs import get_logger
from filewright.chassis.web.problems import Conflict, Forbidden, NotFound, Overloaded, Unauthenticated, invalid
from filewright.chassis.web.proxies import stranger
from filewright.converter.accounts import acts
from filewright.converter.accounts.addresses import folded
from filewright.converter.accounts.choosing import Choosing
from filewright.converter.accounts.codes import Codes, Purpose
from filewright.converter.accounts.letters import Letters
from filewright.converter.jobs.models import CreditRow
from filewright.converter.tiers import FREE_TIER, USER_ROLE, Caller, is_at_least, scopes_of

T = TypeVar("T")
log = get_logger(__name__)

USER_PREFIX = "usr"
FACTS = ("tier", "role")
"""What access tokens tell besides who calls."""
_NOT_THEM = "The e-mail address or the password is wrong."
_BAD_CODE = "This code is not good, or not any more; ask for a new one."
_NOBODY = "nobody"
"""Stands for a person where there is none and the same work has to be done."""
_WHO = "who somebody is, is only found out here"


@dataclass(frozen=True)
class AccountRules:
    """What the operator decided."""

    open_to_all: bool = True
    """Whether anybody may sign up."""
    verified_only: bool = False
    """Whether an address must be confirmed before its owner can sign in."""
    first_tier: str = FREE_TIER


@dataclass(frozen=True)
class Tokens:
    """What a person who signed in gets."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    seconds: int
    """How long the access token is good."""
    scopes: frozenset[str]
    session: str


class Accounts:
    """All accounts."""

    def __init__(
        self,
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
    ) -> None:
        self._database = database
        self._audit = audit
        self._watch = watch
        self._passwords = passwords
        self._choosing = choosing
        self._codes = codes
        self.sessions = sessions
        self._access = access
        self._outbox = outbox
        self._letters = letters
        self._ids = ids
        self._rules = rules

    # --- getting in ---------------------------------------------------------------------------------------------------

    @acting.by_system(_WHO)
    async def register(self, untrusted_email: str, password: str) -> None:
        """Open an account. An address that has one gets a letter that says so; here nothing tells the two apart.

        Raises InvalidRequest, Forbidden, Overloaded.
        """
        if not self._rules.open_to_all:
            raise Forbidden("Nobody can sign up here; ask the operator for an account.")
        email = folded(untrusted_email)
        await self._choosing.check(password, email)
        hashed = await self._hashed(password)

        async def work(session: WriteSession) -> None:
            user = await self._insert(session, email, hashed)
            made = user is not None
            found = user or (await session.scalars(select(UserRow.id).where(UserRow.email == email))).one()
            purpose = Purpose.VERIFY if made else Purpose.RESET
            write = self._letters.verify if made else self._letters.known_already
            await self._send_code(session, purpose, write, user=found, email=email)
            if made:
                await self._opened(session, found, actor=found, by="registration")
            else:
                await self._record(session, acts.KNOWN_ALREADY, found, actor=_NOBODY, outcome=DENIED)

        await self._database.transact(work)

    @acting.by_system(_WHO)
    async def login(self, untrusted_email: str, password: str, origin: Origin) -> Tokens:
        """Sign in. Raises Unauthenticated, Forbidden when only the address is not confirmed yet, Overloaded."""
        email = untrusted_email.strip().lower()
        async with self._database.read() as session:
            user = (await session.scalars(select(UserRow).where(UserRow.email == email))).one_or_none()
        known = user.password_hash if user is not None and user.disabled_at is None else None
        if not await self._verified(known, password) or user is None or known is None:
            self._not_them(user, email, origin)
            raise Unauthenticated(_NOT_THEM)
        self._require_verified(user)
        if self._passwords.is_outdated(known):
            await self._rehash(user.id, known, password)
        return await self.sign_in(user, origin, by="password")

    @acting.by_system(_WHO)
    async def sign_in(self, user: UserRow, origin: Origin, *, by: str) -> Tokens:
        """A session for a person who has just proved who they are."""
        async with self._database.write() as session:
            refresh = await self.sessions.begin(session, user=user.id, tenant=user.tenant, origin=origin)
            now = await self._database.now(session)
            await session.flush()
            await self._record(session, acts.SIGNED_IN, user.id, subject=refresh.session, details={"by": by})
        log.info("signed_in", user=user.id, session=refresh.session)
        return await self._tokens(user, refresh.session, refresh.text, now)

    @acting.by_system(_WHO)
    async def refresh(self, untrusted: str) -> Tokens:
        """Carry a session on. Raises Unauthenticated."""
        try:
            row, following = await self.sessions.carry_on(untrusted)
        except RefreshRefused as refusal:
            if isinstance(refusal, RefreshReused):
                self._watch.seen("refresh_reused", refusal.user)
            raise Unauthenticated("The refresh token is not good, or not any more; sign in again.") from None
        user = await self._user(row.user_id)
        if user is None or user.disabled_at is not None:
            raise Unauthenticated("The refresh token is not good, or not any more; sign in again.")
        return await self._tokens(user, row.id, following.text, row.created_at)

    @acting.by_system(_WHO)
    async def logout(self, caller: Caller | None, untrusted_refresh: str | None) -> None:
        """End the caller's session, and that of the refresh token: whoever has it may end it. Says nothing back."""
        named = self.sessions.of(untrusted_refresh) if untrusted_refresh else None
        going = {name for name in (named, caller.session if caller else None) if name is not None}
        await self._log_out(going)

    @acting.by_system(_WHO)
    async def end_here(self, session_id: str | None) -> None:
        """End the session that somebody's own browser named."""
        await self._log_out({session_id} if session_id is not None else set())

    async def _log_out(self, going: set[str]) -> None:
        if not going:
            return
        async with self._database.write() as session:
            ended = await self.sessions.end(session, UserSessionRow.id.in_(going), why=End.LOGGED_OUT)
            owners = select(UserSessionRow.id, UserSessionRow.user_id).where(UserSessionRow.id.in_(ended))
            for session_id, owner in (await session.execute(owners)).all() if ended else ():
                await self._record(session, acts.ENDED, owner, subject=session_id)

    # --- letters with codes -------------------------------------------------------------------------------------------

    @acting.by_system(_WHO)
    async def ask_for_verification(self, untrusted_email: str) -> None:
        """Send the code for the address again. The same happens whether or not there is such an account."""
        await self._write_to(folded(untrusted_email), Purpose.VERIFY, self._letters.verify)

    @acting.by_system(_WHO)
    async def ask_for_reset(self, untrusted_email: str) -> None:
        """Send a code by which to set a new password. The same happens whether or not there is such an account."""
        await self._write_to(folded(untrusted_email), Purpose.RESET, self._letters.reset)

    @acting.by_system(_WHO)
    async def verify(self, untrusted_code: str, origin: Origin) -> None:
        """The address is its owner's. Raises InvalidRequest."""
        async with self._database.write() as session:
            user = await self._codes.take(session, untrusted_code, Purpose.VERIFY)
            if user is not None:
                await self._mark_verified(session, user)
                await self._record(session, acts.VERIFIED, user)
        if user is None:
            self._bad_code(Purpose.VERIFY, origin)
            raise invalid("/code", _BAD_CODE)

    @acting.by_system(_WHO)
    async def reset(self, untrusted_code: str, password: str, origin: Origin) -> None:
        """Set a new password by a code; every session ends. Raises InvalidRequest, Overloaded."""
        email = await self._whose(untrusted_code)
        await self._choosing.check(password, email or _NOBODY)
        hashed = await self._hashed(password)
        async with self._database.write() as session:
            user_id = await self._codes.take(session, untrusted_code, Purpose.RESET)
            user = await session.get(UserRow, user_id) if user_id is not None else None
            if user is not None:
                await self._mark_verified(session, user.id)
                await self._set_password(session, user, hashed)
                ended = await self.sessions.end(session, UserSessionRow.user_id == user.id, why=End.PASSWORD)
                await self._record(session, acts.PASSWORD_RESET, user.id, details={"sessions": len(ended)})
        if user is None:
            self._bad_code(Purpose.RESET, origin)
            raise invalid("/code", _BAD_CODE)

    # --- the own account ----------------------------------------------------------------------------------------------

    async def get(self, caller: Caller) -> UserRow:
        """The caller's account. Raises Forbidden for whoever has none."""
        user = await self._user(_account(caller))
        if user is None:
            raise NotFound
        return user

    async def change_password(self, caller: Caller, present: str, following: str) -> None:
        """Set another password; all other sessions end. Raises Forbidden, InvalidRequest, Overloaded."""
        user = await self.get(caller)
        if not await self._verified(user.password_hash, present):
            details = {"by": "password change"}
            self._watch.note(
                Note(acts.LOGIN_FAILED, caller.actor, user.tenant, user.id, details=details, outcome=FAILED)
            )
            raise Forbidden("The present password is wrong.")
        await self._choosing.check(following, user.email, "/new_password")
        hashed = await self._hashed(following)
        async with self._database.write() as session:
            mine = await session.get(UserRow, user.id)
            if mine is None or mine.updated_at != user.updated_at:
                raise Conflict("The account was changed by somebody else meanwhile; try again.")
            await self._set_password(session, mine, hashed)
            others = UserSessionRow.id != (caller.session or "")
            ended = await self.sessions.end(session, UserSessionRow.user_id == user.id, others, why=End.PASSWORD)
            counted = {"sessions": len(ended)}
            await self._record(session, acts.PASSWORD_CHANGED, user.id, actor=caller.actor, details=counted)

    async def list_sessions(self, caller: Caller, *, after: str | None, limit: int) -> list[UserSessionRow]:
        """Sessions that are not over, newest first, one more than asked when there are more."""
        tenant = caller.tenant
        _account(caller)
        async with self._database.read() as session:
            now = await self._database.now(session)
            mine = select(UserSessionRow).where(
                UserSessionRow.tenant == tenant, UserSessionRow.ended_at.is_(None), UserSessionRow.expires_at > now
            )
            if after is not None:
                mine = mine.where(UserSessionRow.id < after)
            return list(await session.scalars(mine.order_by(UserSessionRow.id.desc()).limit(limit + 1)))

    async def end_session(self, caller: Caller, session_id: str) -> None:
        """End one of the caller's sessions. Raises NotFound."""
        async with self._database.write() as session:
            mine = (UserSessionRow.tenant == caller.tenant, UserSessionRow.id == session_id)
            if not await self.sessions.end(session, *mine, why=End.BY_OWNER):
                raise NotFound
            await self._record(session, acts.ENDED, caller.tenant, actor=caller.actor, subject=session_id)

    # --- what operators do --------------------------------------------------------------------------------------------

    async def create(self, untrusted_email: str, password: str | None, *, role: str, tier: str, actor: str) -> UserRow:
        """An account with a confirmed address, made by an operator. Raises InvalidRequest, Conflict."""
        email = folded(untrusted_email)
        if password is not None:
            await self._choosing.check(password, email)
        hashed = await self._hashed(password) if password is not None else None
        async with self._database.write() as session:
            user_id = await self._insert(session, email, hashed, role=role, tier=tier, verified=True)
            if user_id is None:
                raise Conflict("There is an account with this address already.")
            await self._opened(session, user_id, actor=actor, by="an operator", role=role, tier=tier)
            return await session.get_one(UserRow, user_id)

    async def open_for(self, session: WriteSession, email: str) -> UserRow | None:
        """An account without a password for whoever has proved that the address is theirs; None where nobody may."""
        if not self._rules.open_to_all:
            return None
        user_id = await self._insert(session, email, None, verified=True)
        if user_id is None:
            return None
        await self._opened(session, user_id, actor=user_id, by="a sign-in elsewhere")
        return await session.get(UserRow, user_id)

    async def find(self, name: str) -> UserRow:
        """An account by its id or address. Raises NotFound."""
        async with self._database.read() as session:
            where = (UserRow.id == name) | (UserRow.email == name.strip().lower())
            user = (await session.scalars(select(UserRow).where(where))).one_or_none()
        if user is None:
            raise NotFound("There is no such account.")
        return user

    async def change(self, user_id: str, *, role: str | None = None, tier: str | None = None, actor: str) -> UserRow:
        """Another role or tier. New access tokens have it; a role that was taken away ends all sessions."""
        async with self._database.write() as session:
            user = await session.get(UserRow, user_id, with_for_update=True)
            if user is None:
                raise NotFound("There is no such account.")
            before = {"role_before": user.role, "tier_before": user.tier}
            demoted = role is not None and not is_at_least(role, user.role)
            user.role, user.tier = role or user.role, tier or user.tier
            user.updated_at = await self._database.now(session)
            await session.flush()
            if demoted:
                await self.sessions.end(session, UserSessionRow.user_id == user_id, why=End.DISABLED)
            details = {**before, "role": user.role, "tier": user.tier}
            await self._record(session, acts.CHANGED, user_id, actor=actor, details=details)
            return user

    async def set_disabled(self, user_id: str, disabled: bool, *, actor: str) -> None:
        """Shut an account or open it again. All its sessions end; its keys are not good while it is shut."""
        async with self._database.write() as session:
            user = await session.get(UserRow, user_id)
            if user is None:
                raise NotFound("There is no such account.")
            now = await self._database.now(session)
            user.disabled_at = now if disabled else None
            user.updated_at = now
            await session.flush()
            if disabled:
                await self.sessions.end(session, UserSessionRow.user_id == user_id, why=End.DISABLED)
            await self._record(session, acts.DISABLED if disabled else acts.ENABLED, user_id, actor=actor)

    async def give_credits(self, user_id: str, amount: int, reason: str, *, actor: str) -> str:
        """Give an account credits; their id. Raises NotFound."""
        async with self._database.write() as session:
            user = await session.get(UserRow, user_id)
            if user is None:
                raise NotFound("There is no such account.")
            now = await self._database.now(session)
            row = CreditRow(id=self._ids.new("crd"), tenant=user.tenant, amount=amount, reason=reason, at=now)
            session.add(row)
            await session.flush()
            details = {"amount": amount, "reason": reason}
            await self._record(session, acts.CREDITED, user.id, actor=actor, details=details)
            return row.id

    # --- the audit log ------------------------------------------------------------------------------------------------

    async def _record(
        self,
        session: WriteSession,
        act: Act,
        owner: str,
        *,
        actor: str | None = None,
        subject: str | None = None,
        **more: Any,
    ) -> None:
        """Last in its unit of work: the end of the chain is held from here on."""
        await self._audit.record(session, act, actor=actor or owner, tenant=owner, subject=subject or owner, **more)

    async def _opened(self, session: WriteSession, user_id: str, *, actor: str, **details: str) -> None:
        await self._record(session, acts.OPENED, user_id, actor=actor, details=details)

    def _not_them(self, user: UserRow | None, email: str, origin: Origin) -> None:
        """The same for an address with an account and one without."""
        who, where = (user.id, user.tenant) if user is not None else (f"{EMAIL}{email}", SYSTEM)
        refusal = Note(
            acts.LOGIN_FAILED, stranger(origin.address), where, who, details={"by": "password"}, outcome=FAILED
        )
        self._watch.note(refusal)

    def _bad_code(self, purpose: Purpose, origin: Origin) -> None:
        self._watch.note(Note(acts.CODE_REFUSED, stranger(origin.address), details={"for": str(purpose)}))

    # --- parts --------------------------------------------------------------------------------------------------------

    async def _tokens(self, user: UserRow, session_id: str, refresh: str, authenticated_at: datetime) -> Tokens:
        scopes = scopes_of(user.role)
        access = Access(user.id, session_id, scopes, authenticated_at, {"tier": user.tier, "role": user.role})
        text = await self._access.make(access)
        return Tokens(text, refresh, int(LIFE.total_seconds()), scopes, session_id)

    async def _insert(
        self,
        session: WriteSession,
        email: str,
        hashed: str | None,
        *,
        role: str = USER_ROLE,
        tier: str | None = None,
        verified: bool = False,
    ) -> str | None:
        """A new row's id; None when the address is taken."""
        now = await self._database.now(session)
        user_id = self._ids.new(USER_PREFIX)
        fresh = {
            "id": user_id,
            "tenant": user_id,
            "email": email,
            "email_verified_at": now if verified else None,
            "password_hash": hashed,
            "tier": tier or self._rules.first_tier,
            "role": role,
            "created_at": now,
            "updated_at": now,
            "disabled_at": None,
        }
        return user_id if await insert_or_ignore(session, UserRow, fresh, key=("email",)) else None

    async def _write_to(self, email: str, purpose: Purpose, write: Callable[[str, str], Letter]) -> None:
        async def work(session: WriteSession) -> None:
            user = (await session.scalars(select(UserRow).where(UserRow.email == email))).one_or_none()
            wanted = (
                user is not None
                and user.disabled_at is None
                and (purpose is Purpose.RESET or user.email_verified_at is None)
            )
            await self._send_code(session, purpose, write, user=user.id if user and wanted else None, email=email)
            who = user.id if user is not None else None
            subject = who or f"{EMAIL}{email}"
            details = {"for": str(purpose)}
            await self._record(
                session, acts.LETTER_ASKED, who or SYSTEM, actor=_NOBODY, subject=subject, details=details
            )

        await self._database.transact(work)

    async def _send_code(
        self,
        session: WriteSession,
        purpose: Purpose,
        write: Callable[[str, str], Letter],
        *,
        user: str | None,
        email: str,
    ) -> None:
        """A code and the letter with it. For nobody the same rows are written, and nothing is sent."""
        tenant = user or _NOBODY
        code = await self._codes.make(session, purpose, user=user or self._ids.new(USER_PREFIX), tenant=tenant)
        letter = write(email, code or _NOBODY)
        if user is None or code is None:
            letter = Letter("", letter.subject, letter.text)
        await self._outbox.put(session, letter, tenant=tenant)

    async def _whose(self, untrusted_code: str) -> str | None:
        """The address that a code was sent to."""
        async with self._database.read() as session:
            user_id = await self._codes.look(session, untrusted_code, Purpose.RESET)
            user = await session.get(UserRow, user_id) if user_id is not None else None
        return user.email if user is not None else None

    async def _mark_verified(self, session: WriteSession, user_id: str) -> None:
        now = await self._database.now(session)
        unverified = update(UserRow).where(UserRow.id == user_id, UserRow.email_verified_at.is_(None))
        await session.execute(unverified.values(email_verified_at=now, updated_at=now))

    async def _set_password(self, session: WriteSession, user: UserRow, hashed: str) -> None:
        user.password_hash = hashed
        user.updated_at = await self._database.now(session)
        await self._codes.forget(session, user.id)
        await self._outbox.put(session, self._letters.password_changed(user.email), tenant=user.tenant)

    async def _rehash(self, user_id: str, known: str, password: str) -> None:
        hashed = await self._hashed(password)
        async with self._database.write() as session:
            same = update(UserRow).where(UserRow.id == user_id, UserRow.password_hash == known)
            await session.execute(same.values(password_hash=hashed))

    async def _user(self, user_id: str) -> UserRow | None:
        async with self._database.read() as session:
            return await _by_id(session, user_id)

    async def _hashed(self, password: str) -> str:
        return await _in_turn(self._passwords.hash(password))

    async def _verified(self, known: str | None, password: str) -> bool:
        return await _in_turn(self._passwords.verify(known, password))

    def _require_verified(self, user: UserRow) -> None:
        if self._rules.verified_only and user.email_verified_at is None:
            raise Forbidden("Confirm your address first: the code is in the letter that we sent you.")


async def _by_id(session: ReadSession, user_id: str) -> UserRow | None:
    found: UserRow | None = await session.get(UserRow, user_id)
    return found


async def _in_turn(work: Awaitable[T]) -> T:
    try:
        return await work
    except TooManyHashes:
        raise Overloaded("Too many people are signing in at this moment; try again.", retry_after=2) from None


def _account(caller: Caller) -> str:
    if caller.user is None:
        raise Forbidden("This is for callers with an account; sign in, or send an API key.")
    return caller.user
