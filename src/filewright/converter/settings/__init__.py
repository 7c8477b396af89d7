"""What an operator can set: environment variables `FILEWRIGHT_*`, or lines `NAME=value` in the file that
`FILEWRIGHT_CONFIG` names. Read once, in `bootstrap`; everything else is handed values.

    platform      what a process stands on                callers       who may do how much
    protection    what files are sealed and scanned with  accounts      how people sign in
    conversion    how files are converted                 loading       from text to settings

A weak, missing, contradictory or misspelt setting stops the program with a sentence that names it and says what would
be right (`SettingsError`). Each field's description is its entry in `docs/settings.md`.
"""

from filewright.converter.settings.loading import load
from filewright.converter.settings.settings import DEFAULT_REQUEST_LOG_DAYS, PREFIX, Settings, SettingsError

__all__ = ["DEFAULT_REQUEST_LOG_DAYS", "PREFIX", "Settings", "SettingsError", "load"]
