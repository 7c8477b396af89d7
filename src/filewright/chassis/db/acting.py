"""For whom the database is asked: one tenant, nobody, or the service itself.

PostgreSQL shows and takes rows of that tenant only (row level security), whatever a statement says or forgets to say:
the program's own filters find the rows, this is the net beneath them. SQLite has no such thing and ignores it all.

    outside of requests    the service itself: loops, workers, commands
    within a request       nobody, until the request's caller is known; then that caller's tenant, or on routes for
                           operators the service
    `system(reason)`       the service, for what has to be seen across tenants within a request
    `as_tenant(tenant)`    somebody else than the caller: where the house does something on its own account

It travels in a context variable, so that no statement can be sent without it. A task that is started within a request
goes on for the request's tenant; one that serves others as well says `system`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

SETTING = "filewright.tenant"
"""PostgreSQL's parameter that the policies look at."""
SYSTEM = "*"
NOBODY = "-"
_MOST = 128
_NO_TENANT = frozenset({"", SYSTEM, NOBODY})


class _Caller:
    """Of a request: one object for all of its tasks, since any of them may be the one that finds out."""

    __slots__ = ("tenant",)

    def __init__(self) -> None:
        self.tenant = NOBODY


_present: ContextVar[_Caller | str] = ContextVar("acting", default=SYSTEM)


def present() -> str:
    """The tenant that is acted for now; or SYSTEM, or NOBODY."""
    acting = _present.get()
    return acting if isinstance(acting, str) else acting.tenant


@contextmanager
def within_request() -> Iterator[None]:
    """What is done in here is done for a caller, who is not known yet."""
    before = _present.set(_Caller())
    try:
        yield
    finally:
        _present.reset(before)


def known(tenant: str) -> None:
    """The caller of the present request belongs to this tenant. Outside of requests this says nothing."""
    acting = _present.get()
    if isinstance(acting, str):
        return
    if acting.tenant not in {NOBODY, tenant}:
        raise RuntimeError("a request has one caller")
    acting.tenant = _checked(tenant)


def operating() -> None:
    """The caller of the present request is an operator, who asked for something that is about everybody."""
    acting = _present.get()
    if isinstance(acting, _Caller):
        acting.tenant = SYSTEM


@contextmanager
def as_tenant(tenant: str) -> Iterator[None]:
    """What is done in here is done for this tenant, whoever calls."""
    with _instead(_checked(tenant)):
        yield


@contextmanager
def system(reason: str) -> Iterator[None]:
    """What is done in here is done for the service, and may see every tenant's rows. The reason is for readers."""
    assert reason
    with _instead(SYSTEM):
        yield


def by_system(reason: str) -> Callable[[Callable[P, Coroutine[Any, Any, T]]], Callable[P, Coroutine[Any, Any, T]]]:
    """As `system`, for all of an async function."""

    def decorate(work: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        @wraps(work)
        async def working(*arguments: P.args, **options: P.kwargs) -> T:
            with system(reason):
                return await work(*arguments, **options)

        return working

    return decorate


def declaration(tenant: str) -> str:
    """SQL by which a transaction of PostgreSQL says whom it is for."""
    quoted = tenant.replace("'", "''")
    return f"SET LOCAL {SETTING} = '{quoted}'"


@contextmanager
def _instead(tenant: str) -> Iterator[None]:
    before = _present.set(tenant)
    try:
        yield
    finally:
        _present.reset(before)


def _checked(tenant: str) -> str:
    """Raises ValueError for what cannot be a tenant's name, or would mean something else to a policy or in quotes."""
    if tenant in _NO_TENANT or len(tenant) > _MOST or "\\" in tenant or not tenant.isprintable():
        raise ValueError("this is no name of a tenant")
    return tenant
