"""What a local folder has to get right beyond the port: killed processes, full disks, neighbours."""

import asyncio
import errno
import hashlib
import os
import shutil
import signal
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from filewright.chassis.storage import local_files
from filewright.chassis.storage.local import LocalStore
from filewright.chassis.storage.local_files import Incoming
from filewright.chassis.storage.obstore_store import open_store
from filewright.chassis.storage.port import ObjectMissing, StoreFull, StoreUnavailable
from filewright.chassis.testing.conformance.storage import in_chunks, keys, read, written
from filewright.chassis.testing.memory import PeakMemory

MIB = 1 << 20


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def open_descriptors():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path)


async def killed_at(failpoint, folder):
    program = textwrap.dedent("""
        import asyncio, sys
        from pathlib import Path
        from filewright.chassis import failpoints
        from filewright.chassis.storage.local import LocalStore

        failpoints.arm(f"{sys.argv[1]}=sigkill")
        asyncio.run(LocalStore(Path(sys.argv[2])).put("a/one", b"new" * 1000))
    """)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, failpoint, folder)
    assert await asyncio.wait_for(process.wait(), 30) == -signal.SIGKILL


async def test_a_process_killed_before_the_end_leaves_the_old_object_and_a_leftover_that_is_swept(store, tmp_path):
    await store.put("a/one", b"old")
    await killed_at("storage.put.written", tmp_path)
    assert await read(store, "a/one") == b"old"
    assert await keys(store) == {"a/one"}
    assert len(files_below(tmp_path)) == 2
    assert await store.sweep() == 1
    assert await store.sweep() == 0
    assert files_below(tmp_path) == ["a/one"]


async def test_a_process_killed_after_the_end_has_stored_the_object(store, tmp_path):
    await killed_at("storage.put.stored", tmp_path)
    assert await read(store, "a/one") == b"new" * 1000
    assert await store.sweep() == 0


async def test_a_sender_that_goes_away_leaves_no_file_and_no_open_descriptor(store, tmp_path):
    before = open_descriptors()
    for _ in range(20):
        sent = asyncio.Event()

        async def stalling(sent=sent):
            yield bytes(2 * MIB)
            sent.set()
            await asyncio.Event().wait()

        putting = asyncio.create_task(store.put("one", stalling()))
        await sent.wait()
        putting.cancel()
        await asyncio.gather(putting, return_exceptions=True)
        reading = store.get("one")
        with pytest.raises(ObjectMissing):
            await anext(reading)
    assert files_below(tmp_path) == []
    assert open_descriptors() <= before  # others of this process may have been collected


async def test_a_put_that_is_cancelled_while_it_waits_for_the_disk_leaves_nothing(store, tmp_path, monkeypatch):
    before, slow, at_work = open_descriptors(), threading.Event(), threading.Event()
    in_earnest = Incoming.write

    def slowly(self, block, intake):
        in_earnest(self, block, intake)
        at_work.set()
        slow.wait(30)

    monkeypatch.setattr(Incoming, "write", slowly)
    putting = asyncio.create_task(store.put("one", in_chunks(bytes(5 * MIB))))
    await asyncio.to_thread(at_work.wait, 30)
    putting.cancel()
    await asyncio.sleep(0)
    slow.set()
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert files_below(tmp_path) == []
    assert open_descriptors() <= before


async def test_a_reader_that_stops_early_leaves_no_open_descriptor(store):
    await store.put("one", bytes(5 * MIB))
    before = open_descriptors()
    for _ in range(20):
        reading = store.get("one")
        await anext(reading)
        await reading.aclose()
    assert open_descriptors() == before


async def test_a_file_size_limit_ends_in_full_and_leaves_nothing(tmp_path):
    """The limit of the process stands in for a disk: the write fails in the middle of the object."""
    program = textwrap.dedent("""
        import asyncio, resource, signal, sys
        from pathlib import Path
        from filewright.chassis.storage.local import LocalStore
        from filewright.chassis.storage.port import StoreUnavailable

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, 3 << 20))
        store = LocalStore(Path(sys.argv[1]))
        try:
            asyncio.run(store.put("one", bytes(8 << 20)))
        except StoreUnavailable:
            print("unavailable")
    """)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, tmp_path, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    assert output == b"unavailable\n"
    assert files_below(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "told"), [(errno.ENOSPC, StoreFull), (errno.EDQUOT, StoreFull), (errno.EIO, StoreUnavailable)]
)
@pytest.mark.parametrize("call", ["write_all", "_sync_folder"])
async def test_a_disk_that_fails_is_told_in_our_words(store, tmp_path, monkeypatch, call, number, told):
    def failing(*_arguments):
        raise OSError(number, os.strerror(number), str(tmp_path))

    monkeypatch.setattr(local_files, call, failing)
    with pytest.raises(told) as refused:
        await store.put("one", b"x")
    assert str(tmp_path) not in refused.value.detail
    assert refused.value.status == 503


async def test_a_link_in_the_folder_is_not_followed_out_of_it(store, tmp_path):
    secret = tmp_path.parent / "secret"
    secret.write_text("secret")
    (tmp_path / "link").symlink_to(secret)
    with pytest.raises(ObjectMissing):
        await read(store, "link")
    assert await keys(store) == set()


async def test_empty_folders_go_with_their_last_object_even_while_others_write(store, tmp_path):
    async def come_and_go(number):
        for _ in range(30):
            await store.put(f"a/b/{number}", b"x")
            await store.delete(f"a/b/{number}")

    await asyncio.gather(*(come_and_go(number) for number in range(4)))
    assert sorted(path.name for path in tmp_path.iterdir()) == [".incoming"]


async def test_a_folder_that_a_neighbour_makes_and_removes_in_one_moment_is_made_again(store, monkeypatch):
    make = os.mkdir
    in_the_way = []

    def made_and_gone(path, mode=0o777, **more):
        if not in_the_way:
            in_the_way.append(path)
            raise FileExistsError(errno.EEXIST, "there a moment ago", str(path))
        make(path, mode, **more)

    monkeypatch.setattr(os, "mkdir", made_and_gone)
    await store.put("a/b/one", b"x")
    assert await read(store, "a/b/one") == b"x"
    assert in_the_way


async def test_an_object_that_is_deleted_as_soon_as_it_is_visible_was_put(store, tmp_path, monkeypatch):
    place = Path.replace

    def placed_and_deleted(path, target):
        place(path, target)
        shutil.rmtree(tmp_path / "a")

    monkeypatch.setattr(Path, "replace", placed_and_deleted)
    await store.put("a/b/one", b"x")
    assert [path.name for path in tmp_path.iterdir()] == [".incoming"]


async def test_objects_are_readable_by_their_owner_only(store, tmp_path):
    await store.put("a/b/one", b"x")
    assert (tmp_path / "a/b/one").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "a/b").stat().st_mode & 0o077 == (tmp_path / "a").stat().st_mode & 0o077 == 0


async def test_the_bytes_are_on_the_disk_before_the_object_appears(store, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, name=name, real=real, **k: (calls.append(name), real(*a, **k))[1])
    await store.put("one", b"x")
    assert calls == ["fsync", "replace", "fsync"], "the file, its name, its folder"
    calls.clear()
    await store.put("new/folder/one", b"x")
    assert calls == ["fsync", "replace", "fsync", "fsync", "fsync"], "and each folder that got a new one"


async def test_a_store_whose_folder_was_taken_away_is_unavailable(store, tmp_path):
    (tmp_path / ".incoming").rmdir()
    with pytest.raises(StoreUnavailable):
        await store.put("one", b"x")


@pytest.mark.slow
@pytest.mark.long
async def test_a_gibibyte_in_and_out_needs_little_memory(store):
    chunk = os.urandom(65536)

    async def gibibyte():
        for _ in range((1 << 30) // len(chunk)):
            yield chunk

    await store.put("warm-up", in_chunks(bytes(4 * MIB)))
    with PeakMemory() as peak:
        stored = await store.put("big", gibibyte())
        digest = hashlib.sha256()
        async for part in store.get("big"):
            digest.update(part)
    assert (stored.bytes, stored.sha256) == (1 << 30, digest.hexdigest())
    assert peak.grown_bytes < 32 * MIB


@pytest.mark.parametrize("url", ["", "http://x", "file://host/a", "s3://", "/just/a/path", "ftp://x"])
def test_an_address_that_names_no_store_is_refused(url):
    with pytest.raises(ValueError, match="a storage URL is"):
        open_store(url)


def test_a_folder_with_odd_letters_in_its_address_is_found(tmp_path):
    open_store(f"file://{tmp_path}/with%20space")
    assert (tmp_path / "with space").is_dir()


@pytest.fixture
def made(tmp_path):
    (tmp_path / "made").mkdir()
    return tmp_path / "made" / "file"


@pytest.fixture
def kept(tmp_path):
    return LocalStore(tmp_path / "store")


async def test_a_file_that_was_seen_becomes_the_object_and_is_nobody_elses_to_read(kept, made):
    seen = written(made, b"letter")
    made.chmod(0o666)
    await kept.put_file("one", made, seen=seen)
    assert kept.local_path("one").samefile(made)
    assert kept.local_path("one").stat().st_mode & 0o777 == 0o600


async def test_a_file_that_somebody_may_write_to_is_copied(kept, made):
    seen = written(made, b"letter")
    with made.open("r+b") as writer:
        await kept.put_file("one", made, seen=seen)
        writer.write(b"LETTER")
    assert await read(kept, "one") == b"letter"


async def test_a_file_of_another_file_system_is_copied(kept, made, monkeypatch):
    def other_file_system(*_, **__):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    seen = written(made, b"letter")
    monkeypatch.setattr(os, "link", other_file_system)
    await kept.put_file("one", made, seen=seen)
    assert await read(kept, "one") == b"letter"
    assert not kept.local_path("one").samefile(made)


async def test_a_link_is_not_followed_to_a_file_that_was_seen(kept, made, tmp_path):
    seen = written(made, b"letter")
    (tmp_path / "made" / "link").symlink_to(made)
    with pytest.raises(OSError, match="symbolic"):
        await kept.put_file("one", tmp_path / "made" / "link", seen=seen)
    assert await keys(kept) == set()


async def test_whoever_opens_the_file_while_it_is_kept_ends_nobody(kept, made):
    """The kernel tells of a writer by a signal, whose usual effect is the end of the process."""
    ends = threading.Event()

    def open_again_and_again():
        while not ends.is_set():
            with made.open("r+b"):
                pass

    seen = written(made, b"letter")
    opener = threading.Thread(target=open_again_and_again)
    opener.start()
    try:
        for n in range(300):
            await kept.put_file(f"a/{n}", made, seen=seen)
    finally:
        ends.set()
        opener.join()
    assert [await read(kept, f"a/{n}") for n in (0, 299)] == [b"letter"] * 2
    assert await kept.sweep() == 0
