"""For whom something is done: of a request, of the tasks it starts, and outside of requests."""

import asyncio

import pytest

from filewright.chassis.db import acting
from filewright.chassis.web.one_caller import OfOneCaller


def test_outside_of_requests_it_is_the_service():
    acting.known("alice")
    acting.operating()
    assert acting.present() == acting.SYSTEM


def test_a_request_is_for_nobody_until_its_caller_is_known():
    with acting.within_request():
        assert acting.present() == acting.NOBODY
        acting.known("alice")
        assert acting.present() == "alice"
        acting.known("alice")
        with pytest.raises(RuntimeError):
            acting.known("bob")
        assert acting.present() == "alice"
    assert acting.present() == acting.SYSTEM


async def test_every_task_of_a_request_hears_who_calls_whichever_finds_out():
    with acting.within_request():
        early = asyncio.create_task(asyncio.sleep(0, acting.known("alice")))
        late = asyncio.Event()

        async def asking() -> str:
            await late.wait()
            return acting.present()

        waiting = asyncio.create_task(asking())
        await early
        late.set()
    assert await waiting == "alice"


async def test_the_service_and_others_are_acted_for_only_where_it_is_said():
    @acting.by_system("a test")
    async def across(argument: int) -> tuple[str, int]:
        return acting.present(), argument

    with acting.within_request():
        assert await across(1) == (acting.SYSTEM, 1)
        acting.known("alice")
        with acting.as_tenant("filewright:house"):
            assert acting.present() == "filewright:house"
            with acting.system("a test"):
                acting.known("bob")  # said of the request, which this is no part of
                assert acting.present() == acting.SYSTEM
        assert acting.present() == "alice"


@pytest.mark.parametrize("name", ["", acting.SYSTEM, acting.NOBODY, "a\\'", "a\nb", "a\0", "x" * 129])
def test_what_means_something_else_is_nobodys_name(name):
    with acting.within_request(), pytest.raises(ValueError, match="no name"):
        acting.known(name)
    with pytest.raises(ValueError, match="no name"), acting.as_tenant(name):
        pass


def test_a_name_with_a_quote_stays_one_name():
    assert acting.declaration("o'neill'; DROP TABLE x; --").endswith(" = 'o''neill''; DROP TABLE x; --'")


async def test_what_starts_with_the_server_is_no_request():
    seen = []

    async def app(scope, _receive, _send):
        seen.append((scope["type"], acting.present()))

    for kind in ("lifespan", "http", "websocket"):
        await OfOneCaller(app)({"type": kind}, None, None)
    assert seen == [("lifespan", acting.SYSTEM), ("http", acting.NOBODY), ("websocket", acting.NOBODY)]
