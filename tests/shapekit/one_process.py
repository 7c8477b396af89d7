"""Which tests of a service are about one process, and why: the one place that says so.

A place is a file of tests, a test, or a fixture that starts a service of its own; then whatever uses that fixture is
meant. With `--shape distributed` these are left out, and the run's end says how many there were of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

FROM_WITHIN = "it breaks the process from within, which another process cannot"
KILLED = "its service is killed and started again; what many do then is shown in tests/distributed"

ONE_PROCESS: Mapping[str, str] = {
    "converter/http/test_envelope.py::test_a_defect_is_answered_without_a_word_about_itself": FROM_WITHIN,
    "converter/http/test_envelope.py::test_a_dependency_that_is_down_makes_it_not_ready": FROM_WITHIN,
    "converter/http/test_every_route.py::test_a_defect_in_any_operation_is_answered_without_a_word_about_itself": (
        FROM_WITHIN
    ),
    "converter/http/test_straight_to_storage.py::"
    "test_a_completion_that_died_after_its_copy_is_made_again_and_leaves_nothing": (FROM_WITHIN),
    "converter/http/test_tenants.py::"
    "test_for_anothers_thing_the_same_is_asked_of_the_database_as_for_one_that_never_was": (
        "it listens to what the process asks its database"
    ),
    "converter/http/test_scanning.py::test_readiness_says_what_scans_or_that_nothing_does": (
        "of many, the workers scan and tell it in their signs of health, not over HTTP"
    ),
    "converter/http/test_scanning.py::test_while_the_scanner_is_away_jobs_wait_and_nothing_is_converted": (
        "of many, the workers wait for the scanner and `/readyz` does not speak of it"
    ),
    "converter/http/test_sigkill.py::process": KILLED,
    "converter/commands/converting/test_remote.py::test_a_server_merges_what_lies_here": (
        "where tiers hold, strangers may only convert"
    ),
    "converter/commands/converting/test_fonts.py": "the owner of the machine has fonts without an account",
    "e2e/test_invoice.py": "the invoice is written into its SQLite, and the machine's owner asks for it",
    "e2e/test_memory.py::server": "the memory of one process is measured",
    "e2e/test_page_malware.py::guarded": "it has a virus scanner of its own",
    "e2e/page/conftest.py::service": KILLED,
    "e2e/page/whole/conftest.py::paced": "its jobs get on by the clock, which a stand-in for the converter makes them",
    "e2e/page/whole/conftest.py::paced_by_two": "as the one that is paced",
    "e2e/page/whole/account/conftest.py::town": "its people sign in at a provider of its own and read its letters",
}


def reason_of(node: str, fixtures: Sequence[str]) -> str | None:
    """Why this test (`converter/http/test_x.py::test_y[z]`) is about one process; None when it is not."""
    module, _, test = node.partition("::")
    name = test.partition("[")[0]
    for place, why in ONE_PROCESS.items():
        file, _, wanted = place.partition("::")
        if file.endswith("/conftest.py"):
            meant = module.startswith(file.removesuffix("conftest.py")) and wanted in fixtures
        else:
            meant = module == file and (not wanted or wanted == name or wanted in fixtures)
        if meant:
            return why
    return None
