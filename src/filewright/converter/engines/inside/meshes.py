"""Runs in the sandbox: a mesh from one format to another."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from trimesh.exchange.gltf import export_gltf

from filewright.chassis.sandbox.child import Refusal, Report

_MAX_TRIANGLES = 20_000_000
_STL_HEAD, _STL_TRIANGLE = 84, 50


def convert(
    source: str,
    source_format: str,
    target: str,
    options: Mapping[str, Any],
    report: Report,
    password: str | None = None,
) -> list[str]:
    """Write `out/output.<target>`. Refuses a file without a triangle."""
    scene = _scene(Path(source).read_bytes(), source_format)
    mesh = scene.to_mesh()
    if not len(mesh.faces):
        raise Refusal("corrupt_input")
    if len(mesh.faces) > _MAX_TRIANGLES:
        raise Refusal("resource_limit")
    report(0.5)
    Path(f"out/output.{target}").write_bytes(_exported(scene, mesh, target))
    return [f"output.{target}"]


def _scene(data: bytes, source_format: str) -> trimesh.Scene:
    if source_format == "stl" and _is_binary_stl(data):
        return trimesh.Scene(_binary_stl(data))
    try:
        # No resolver: a file that points at others beside it stands alone here.
        return trimesh.load_scene(BytesIO(data), file_type=source_format, process=False, resolver=None)
    except Exception as error:
        raise Refusal("corrupt_input") from error


def _is_binary_stl(data: bytes) -> bool:
    return len(data) >= _STL_HEAD and not (data[:5].lower() == b"solid" and b"facet" in data[:1024].lower())


def _binary_stl(data: bytes) -> trimesh.Trimesh:
    """Read as far as whole triangles go, whatever the head claims: half a mesh helps."""
    claimed = struct.unpack_from("<I", data, 80)[0]
    count = min(claimed, (len(data) - _STL_HEAD) // _STL_TRIANGLE)
    if count > _MAX_TRIANGLES:
        raise Refusal("resource_limit")
    rows = np.frombuffer(data, dtype=np.uint8, count=count * _STL_TRIANGLE, offset=_STL_HEAD)
    corners = rows.reshape(count, _STL_TRIANGLE)[:, 12:48].copy().view("<f4").reshape(count * 3, 3)
    if not np.isfinite(corners).all():
        raise Refusal("corrupt_input")
    mesh = trimesh.Trimesh(corners, np.arange(count * 3).reshape(count, 3), process=False)
    mesh.merge_vertices()
    return mesh


def _exported(scene: trimesh.Scene, mesh: trimesh.Trimesh, target: str) -> bytes:
    if target == "gltf":
        files = export_gltf(scene, merge_buffers=True, embed_buffers=True)
        return bytes(files["model.gltf"])
    made = scene.export(file_type=target) if target in {"glb", "3mf"} else mesh.export(file_type=target)
    return made.encode() if isinstance(made, str) else bytes(made)
