"""Meshes between their formats by trimesh (MIT). Triangles are kept one for one; materials where they can be."""

from __future__ import annotations

from filewright.converter.engines.library import LibraryEngine, every_pair
from filewright.converter.engines.port import Loss

_MESHES = ("stl", "obj", "ply", "glb", "gltf", "3mf", "off")

MESHES = LibraryEngine(
    name="trimesh",
    packages=("trimesh", "numpy", "networkx", "lxml"),
    function="filewright.converter.engines.inside.meshes:convert",
    warm=("filewright.converter.engines.inside.meshes",),
    conversions=every_pair(_MESHES, _MESHES, cost=60, loss=Loss.SMALL),
)
