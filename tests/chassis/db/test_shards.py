"""256 logical shards: the same for ever, even enough, and moved by halves."""

import pytest

from filewright.chassis.db.shards import LOGICAL, ShardMap, shard_of

TENANTS = [f"usr_{number:026d}" for number in range(20_000)] + ["", "local", "ip:203.0.113.7", "日本語", "a'b\\c"]


@pytest.mark.requirement("E7")
def test_a_tenants_shard_never_changes():
    assert [shard_of(tenant) for tenant in ("local", "ip:203.0.113.7", "日本語")] == [37, 104, 119]


@pytest.mark.requirement("E7")
def test_tenants_spread_over_all_shards_evenly():
    counts = [0] * LOGICAL
    for tenant in TENANTS:
        counts[shard_of(tenant)] += 1
    mean = len(TENANTS) / LOGICAL
    assert min(counts) > 0.5 * mean
    assert max(counts) < 1.6 * mean


@pytest.mark.requirement("E7")
def test_from_four_databases_to_eight_exactly_half_moves():
    four, eight = ShardMap.over(4), ShardMap.over(8)
    moving = four.moving_to(eight)
    assert len(moving) == LOGICAL // 2
    assert {eight.places[shard] for shard in moving} == {4, 5, 6, 7}, "all to the new ones, none among the old"
    assert [four.places.count(place) for place in range(4)] == [64] * 4
    assert all(eight.place_of(tenant) % 4 == four.place_of(tenant) for tenant in TENANTS)


def test_a_map_that_is_none_is_refused():
    with pytest.raises(ValueError, match="power of two"):
        ShardMap.over(3)
    with pytest.raises(ValueError, match="256"):
        ShardMap((0,) * 255)
