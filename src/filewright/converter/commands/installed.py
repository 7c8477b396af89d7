"""The engines that a command finds here, with those of the folder that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filewright.converter.engines.plugins.gathering import Gathered
    from filewright.converter.engines.registry import Registry


def registry() -> Registry:
    """All engines, installed or not."""
    from filewright.converter.engines.registry import Registry  # noqa: PLC0415 - keeps --help quick

    return Registry(gathered().engines)


def gathered() -> Gathered:
    """The same, with what was left out and why; what is wrong with the settings themselves is told elsewhere."""
    from filewright.converter.engines.plugins.gathering import gather  # noqa: PLC0415 - keeps --help quick
    from filewright.converter.settings import SettingsError, load  # noqa: PLC0415

    try:
        return gather(load().engines_dir)
    except SettingsError:
        return gather()
