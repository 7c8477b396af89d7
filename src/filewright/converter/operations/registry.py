"""Which operators are installed here, at which version, and what they can do. As `engines.registry` is for engines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from filewright.converter.engines.port import Availability
from filewright.converter.engines.registry import Diagnosis
from filewright.converter.operations.port import Ability, Operator


class Operators:
    """The operators of one process. Names are unique."""

    def __init__(self, operators: Iterable[Operator]) -> None:
        self._operators: dict[str, Operator] = {}
        for operator in operators:
            if operator.name in self._operators:
                raise ValueError(f"two operators are called {operator.name!r}")
            self._operators[operator.name] = operator
        self._checks: dict[str, Availability] = {}

    def operator(self, name: str) -> Operator:
        """The operator of that name; KeyError for a name that is not in the list."""
        return self._operators[name]

    def availability(self, name: str) -> Availability:
        """What the operator said when it was asked."""
        if name not in self._checks:
            self._checks[name] = self._operators[name].check()
        return self._checks[name]

    def abilities(self) -> Sequence[tuple[str, Ability]]:
        """What can be done here: name of the operator and ability, of operators that are installed."""
        return [(name, ability) for name, ability in self.declared() if self.availability(name).available]

    def declared(self) -> Sequence[tuple[str, Ability]]:
        """What could be done with every operator installed."""
        return [(operator.name, ability) for operator in self._operators.values() for ability in operator.abilities]

    def diagnose(self) -> Sequence[Diagnosis]:
        """A row per operator, in the order of the list."""
        return [self._diagnosis(operator) for operator in self._operators.values()]

    def _diagnosis(self, operator: Operator) -> Diagnosis:
        found = self.availability(operator.name)
        return Diagnosis(
            engine=operator.name,
            available=found.available,
            version=found.version,
            missing=found.missing,
            install=found.install,
            conversions=len(operator.abilities),
        )
