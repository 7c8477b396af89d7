from filewright.chassis.db.migrations import run
from filewright.chassis.testing.conformance.database import SuiteBase

run(SuiteBase.metadata)
