"""An engine as it was and as it is, side by side over a folder of files."""
