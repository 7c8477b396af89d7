"""Conversions by day, summed up for reports"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
WELL = "e.target = 'succeeded'"
WITHIN = ",\n       ".join(
    f"count(*) FILTER (WHERE {WELL} AND coalesce(a.seconds, 0) <= {bound}) AS within_{n}"
    for n, bound in enumerate(BOUNDS)
)
VIEW = f"""
CREATE MATERIALIZED VIEW conversions_by_day AS
SELECT (e.at AT TIME ZONE 'UTC')::date AS day,
       coalesce(j.source_format, '') AS source_format,
       coalesce(j.target_format, '') AS target_format,
       count(*) AS conversions,
       coalesce(sum(coalesce(a.seconds, 0)) FILTER (WHERE {WELL}), 0) AS seconds,
       {WITHIN},
       count(*) FILTER (WHERE {WELL}) AS succeeded
FROM job_events e
JOIN jobs j ON j.id = e.job_id
LEFT JOIN attempts a ON a.job_id = e.job_id AND a.number = e.attempt
WHERE e.target IN ('succeeded', 'failed', 'infected', 'quarantined', 'overdue', 'cancelled')
GROUP BY 1, 2, 3
"""  # noqa: S608 - of constants only


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return  # no such views; the question itself is asked
    op.execute(VIEW)
    # What a refresh beside readers needs to know old rows from new ones by.
    op.execute("CREATE UNIQUE INDEX ix_conversions_by_day ON conversions_by_day (day, source_format, target_format)")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP MATERIALIZED VIEW conversions_by_day")
