"""Maps inside the sandbox: every source is read into `Layer`s, and every target written from them.

`layers` says what a layer is and joins them; `reading` and `writing` go through GDAL except for GeoParquet, GPX and
SVG; `wkb` takes geometries apart; `convert` is the door.
"""
