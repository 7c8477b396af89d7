from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from filewright.chassis.sandbox.workspace import Workspace, cut_links, sweep


def test_a_workspace_is_private_and_has_its_three_parts(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "jobs", "job_1") as workspace:
        for place in (tmp_path / "jobs", workspace.path, workspace.inputs, workspace.out, workspace.tmp):
            assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert list((tmp_path / "jobs").iterdir()) == []


def test_a_name_is_given_once(tmp_path: Path) -> None:
    with Workspace.create(tmp_path, "job_1"), pytest.raises(FileExistsError):
        Workspace.create(tmp_path, "job_1")


def test_it_is_removed_however_a_program_left_it(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("keep")
    workspace = Workspace.create(tmp_path / "jobs")
    (workspace.out / "link").symlink_to(outside)
    (workspace.out / "loop").symlink_to("loop")
    os.link(outside / "precious", workspace.out / "hard")
    os.mkfifo(workspace.out / "fifo")
    (workspace.out / os.fsdecode(b"\xff\n -rf \\")).write_text("x")
    locked = workspace.tmp / "a" / "b"
    locked.mkdir(parents=True)
    (locked / "file").write_text("x")
    locked.chmod(0)
    locked.parent.chmod(0o500)
    workspace.path.chmod(0o100)
    workspace.remove()
    assert not workspace.path.exists()
    assert (outside / "precious").read_text() == "keep"
    workspace.remove()


def test_no_link_outlives_a_run(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("keep")
    with Workspace.create(tmp_path / "jobs") as workspace:
        workspace.out.rmdir()
        workspace.out.symlink_to(outside)
        workspace.inputs.rmdir()
        workspace.inputs.write_text("no directory")
        (workspace.tmp / "product.txt").write_text("kept")
        locked = workspace.tmp / "a"
        locked.mkdir()
        (locked / "link").symlink_to(outside / "precious")
        locked.chmod(0o100)
        assert cut_links(workspace.path)
        assert not any(path.is_symlink() for path in workspace.path.rglob("*"))
        assert all(part.is_dir() and not part.is_symlink() for part in (workspace.inputs, workspace.out))
        assert sorted(path.name for path in workspace.tmp.rglob("*")) == ["a", "product.txt"]
    assert (outside / "precious").read_text() == "keep"


def test_who_has_no_time_for_many_entries_is_told(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "jobs") as workspace:
        for number in range(5):
            (workspace.out / f"{number}").symlink_to("elsewhere")
        assert not cut_links(workspace.path, most=6)
        assert cut_links(workspace.path, most=8)
        assert list(workspace.out.iterdir()) == []


def test_a_tree_that_is_deeper_than_any_path_may_be_is_removed(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path)
    here = os.open(workspace.out, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("deep", dir_fd=here)
        inner = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    workspace.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_removes_what_was_left_and_follows_no_link(tmp_path: Path) -> None:
    jobs, outside = tmp_path / "jobs", tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("keep")
    for _ in range(2):
        Workspace.create(jobs)
    (jobs / "link").symlink_to(outside)
    (jobs / "file").write_text("x")
    assert sweep(jobs) == 4
    assert list(jobs.iterdir()) == []
    assert (outside / "precious").read_text() == "keep"
    assert sweep(tmp_path / "never-made") == 0
