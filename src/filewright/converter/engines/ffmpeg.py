"""Sound and moving pictures by ffmpeg, which is a separate program (GPL), held in the sandbox.

What the program can read and write stands in `ffmpeg_formats`, how one run is told what to do in `ffmpeg_recipe`.
"""

from __future__ import annotations
