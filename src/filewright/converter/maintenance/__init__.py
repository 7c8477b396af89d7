"""The loops that keep promises when something died: each looks, does one batch, and may be killed anywhere."""
