"""A log that was changed is an alarm, without anybody asking."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from filewright.chassis.audit.acts import Act
from filewright.chassis.audit.alarms import Alarms
from filewright.chassis.audit.copies import Copies
from filewright.chassis.audit.log import Audit
from filewright.chassis.audit.seals import Seals
from filewright.chassis.audit.watch import Watch
from filewright.chassis.storage.local import LocalStore
from filewright.chassis.telemetry.metrics import Metrics
from filewright.converter.maintenance.tampering import TamperCheck

ACT = Act("tests.act", "for tests")


@pytest.mark.requirement("S29", "K8")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_log_that_was_changed_raises_the_alarm(database, clock, tmp_path):
    seals, metrics = Seals(b"a secret of more than thirty-two bytes"), Metrics()
    audit = Audit(database, seals)
    watch = Watch(database, audit, Alarms(clock, metrics), clock, metrics)
    copies = Copies(database, LocalStore(tmp_path / "elsewhere"), audit, seals)
    check = TamperCheck(database, copies, seals, watch)
    for _ in range(3):
        await audit.record_alone(ACT, actor="usr_1")
    await copies.run_once()
    assert await check.run_once() == 0
    async with database.write() as session:
        await session.execute(text("DROP TRIGGER audit_logs_no_update"))
        await session.execute(text("UPDATE audit_logs SET actor = 'usr_2' WHERE id = 2"))
    assert await check.run_once() == 1
    await watch.write_once()
    assert 'security_alerts_total{pattern="audit_tampered"} 1.0' in metrics.render().decode()
