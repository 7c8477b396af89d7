"""Structured text inside the sandbox: JSON, YAML, TOML, XML, calendars and contacts, read into plain Python values.

`convert` is the door; `reading` and `writing` have one function per format; `cards` knows iCalendar and vCard.
"""
