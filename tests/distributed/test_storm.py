"""The short storm: every kind of fault five times, while jobs of all kinds go through. `scripts/chaos.py` makes long
ones.
"""

from __future__ import annotations

import pytest
from distkit.shape import Shape
from distkit.storm import Storm, Weather

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.s3,
    pytest.mark.redis,
    pytest.mark.long,
    pytest.mark.alone,
    pytest.mark.slow,
    pytest.mark.timeout(1800),
]
SHORT = Weather(faults=60, jobs=1000, seed=20261122, letters=50)


@pytest.mark.requirement("F2", "F5", "F8", "F9", "F11", "F32")
def test_a_storm_of_faults_loses_and_doubles_nothing(shape: Shape) -> None:
    figures = Storm(shape, SHORT).run()
    print(figures.table())
    assert figures.breaches == [], figures.table()
    assert figures.accepted == SHORT.jobs
    assert figures.faults.total() == SHORT.faults
