"""Who a browser's cookie speaks for: sign-in on the pages of this service, where no script ever holds a token.

The cookie (`HttpOnly`, `SameSite=Lax`, over TLS `Secure` and bound to the host) ends with the browser, and is good as
long as its session is: that is looked up once a minute and process at most, and an end takes hold at once here, a
moment later where the news is heard, and within `sessions.LOOK_SECONDS` everywhere else.

Browsers send it with whatever they send, so what changes anything must also come from a page of ours: by
`Sec-Fetch-Site`, or, where a browser does not say that, by `Origin`. A cookie that we did not make is somebody else's
on the same host, and no business of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response

from filewright.chassis.cache.port import Cache, Kind
from filewright.chassis.db import acting
from filewright.chassis.db.database import Database
from filewright.chassis.identity.marks import SessionMarks
from filewright.chassis.identity.models import UserRow
from filewright.chassis.identity.sessions import Sessions
from filewright.chassis.web.problems import Forbidden, Unauthenticated
from filewright.chassis.web.proxies import Proxies
from filewright.converter.tiers import Caller, Tier, scopes_of

COOKIE = "filewright_session"
SECURE_COOKIE = f"__Host-{COOKIE}"
_BELIEVED_SECONDS = 60.0
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class SignedInPerson:
    """What is known of whoever a good cookie speaks for."""

    user: str
    tenant: str
    session: str
    email: str
    tier: str
    role: str
    authenticated_at: datetime


_PERSON: Kind[SignedInPerson | None] = Kind("cookie", 1, weigh=lambda _: 1024, seconds=_BELIEVED_SECONDS)


class Cookies:
    """Gives them, believes them and takes them back."""

    def __init__(self, marks: SessionMarks, sessions: Sessions, database: Database, cache: Cache) -> None:
        self._marks = marks
        self._sessions = sessions
        self._database = database
        self._cache = cache

    def give(self, response: Response, session: str, *, secure: bool) -> None:
        """The browser that gets this answer is signed in with the session."""
        name = SECURE_COOKIE if secure else COOKIE
        response.set_cookie(name, self._marks.make(session), path="/", secure=secure, httponly=True, samesite="lax")

    def take_back(self, request: Request, response: Response) -> None:
        """The browser forgets whatever it had of us."""
        for name in (COOKIE, SECURE_COOKIE):
            if name in request.cookies:
                secure = name == SECURE_COOKIE
                response.delete_cookie(name, path="/", secure=secure, httponly=True, samesite="lax")

    def session_of(self, request: Request, proxies: Proxies) -> str | None:
        """The session that the cookie names, over or not; None where there is none of ours."""
        secure = proxies.scheme(request.scope) == "https"
        return self._marks.known(request.cookies.get(SECURE_COOKIE if secure else COOKIE, ""))

    async def person(self, request: Request, proxies: Proxies) -> SignedInPerson | None:
        """Who is signed in; None where nobody says so. Raises Unauthenticated, and Forbidden for others' requests."""
        session = self.session_of(request, proxies)
        if session is None:
            return None
        if not comes_from_here(request, proxies):
            raise Forbidden("Who is signed in at a page of this service acts on that page only; send a token instead.")
        found = await self._cache.get(_PERSON, session, lambda: self._look_up(session))
        if found is None or self._sessions.is_over(session):
            raise Unauthenticated("The session is over; sign in again.")
        return found

    @acting.by_system("who somebody is, is only found out here")
    async def _look_up(self, session_id: str) -> SignedInPerson | None:
        row = await self._sessions.in_use(session_id)
        if row is None:
            return None
        async with self._database.read() as session:
            good = select(UserRow).where(UserRow.id == row.user_id, UserRow.disabled_at.is_(None))
            user = (await session.scalars(good)).one_or_none()
        if user is None:
            return None
        return SignedInPerson(user.id, user.tenant, row.id, user.email, user.tier, user.role, row.created_at)


def caller_for(person: SignedInPerson, tier_named: Callable[[str], Tier]) -> Caller:
    """The person as whoever calls."""
    return Caller(
        tenant=person.tenant,
        tier=tier_named(person.tier),
        scopes=scopes_of(person.role),
        user=person.user,
        session=person.session,
        authenticated_at=person.authenticated_at,
        role=person.role,
    )


def comes_from_here(request: Request, proxies: Proxies) -> bool:
    """Whether a page of this very service, or the person at the browser, made the request."""
    site = request.headers.get("sec-fetch-site")
    if request.method in _SAFE:
        return site in {None, "same-origin", "none"} or request.headers.get("sec-fetch-mode") == "navigate"
    if site is not None:
        return site == "same-origin"
    origin = urlsplit(request.headers.get("origin", ""))
    return bool(origin.netloc) and origin.netloc == proxies.host(request.scope)
