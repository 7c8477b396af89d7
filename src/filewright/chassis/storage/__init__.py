"""Objects: named runs of bytes that are written once, whole or not at all, on a disk or in a bucket."""
