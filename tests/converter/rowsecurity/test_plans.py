"""A statement that stands alone says for whom it is before it looks at any table: seen in the plan of each."""

from __future__ import annotations

import gc
import json
import re

import pytest

from filewright.chassis.db import acting
from filewright.chassis.db.hot import Chain, Look
from filewright.converter import bootstrap

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database_url", ["postgres"], indirect=True)]
assert bootstrap  # with it every statement of the program is made
READS = {"Relation Name", "CTE Name", "Function Name", "Index Name"}


def all_statements(dialect):
    for made in gc.get_objects():
        if isinstance(made, Look):
            yield made.compiled(dialect, alone=True).text
        elif isinstance(made, Chain):
            yield made.compiled(dialect, alone=True)[0].text


def is_gated(plan):
    """Whether what sets the parameter is a condition of its own that is met before anything reads a table."""
    (setting,) = (
        part["Subplan Name"] for part in parts(plan) if f"set_config('{acting.SETTING}'" in str(part.get("Output"))
    )
    value = re.fullmatch(r"InitPlan \d+ \(returns (\$\d+)\)", setting)[1]
    return any(f"{value} IS NOT NULL" in node.get("One-Time Filter", "") for node in straight_down(plan))


def parts(node):
    """The node and all below it."""
    yield node
    for child in node.get("Plans", []):
        yield from parts(child)


def straight_down(node):
    """The nodes from the top that are reached before anything is read from a table."""
    while not READS & set(node):
        yield node
        below = [
            child for child in node.get("Plans", []) if child["Parent Relationship"] not in {"InitPlan", "SubPlan"}
        ]
        if len(below) != 1:
            return
        (node,) = below


@pytest.mark.requirement("S2")
async def test_every_statement_that_stands_alone_says_first_for_whom(database):
    texts = {text for text in all_statements(database._writer.dialect) if "suite_" not in text}
    assert len(texts) > 15
    async with database._writers.driver() as driver:
        await driver.execute("SET plan_cache_mode = force_generic_plan")
        for number, statement in enumerate(sorted(texts)):
            await driver.execute(f"PREPARE s{number} AS {statement}")
            most = max(map(int, re.findall(r"\$(\d+)", statement)))
            nothing = ", ".join(["NULL"] * most)
            told = await driver.fetchval(f"EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE s{number}({nothing})")
            (plan,) = json.loads(told) if isinstance(told, str) else told
            assert is_gated(plan["Plan"]), (statement, told)
        await driver.execute("RESET plan_cache_mode; DEALLOCATE ALL")
