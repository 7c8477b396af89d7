"""The bucket's rules on a real server, read back with the vendor's own client."""

import pytest

from filewright.chassis.clock import SystemClock
from filewright.chassis.storage.bucket import open_bucket
from filewright.chassis.storage.port import StoreUnavailable
from filewright.chassis.testing.faulty_proxy import Fault, FaultyProxy
from filewright.chassis.testing.servers.process import free_port

pytestmark = pytest.mark.s3


@pytest.fixture
def bucket_at(s3_server):
    def open_at(name, endpoint=None, secret=None, prefix="files"):
        url = s3_server.url(name, prefix).replace(s3_server.endpoint, endpoint or s3_server.endpoint)
        return open_bucket(url, s3_server.key_id, secret or s3_server.secret, SystemClock())

    return open_at


@pytest.mark.requirement("H1")
async def test_a_bucket_is_made_and_ends_what_was_never_finished(bucket_at, s3_server):
    async with bucket_at("new-bucket") as bucket:
        first, second = await bucket.prepare(), await bucket.prepare()
    assert (first.made, first.ends_unfinished, first.admits_browsers) == (True, True, True)
    assert (second.made, second.ends_unfinished, second.admits_browsers) == (False, True, True)
    rules = s3_server._client().get_bucket_lifecycle_configuration(Bucket="new-bucket")["Rules"]
    assert [(rule["ID"], rule["Filter"], rule["AbortIncompleteMultipartUpload"]) for rule in rules] == [
        ("filewright", {"Prefix": "files/"}, {"DaysAfterInitiation": 1})
    ]
    cors = s3_server._client().get_bucket_cors(Bucket="new-bucket")["CORSRules"]
    assert [rule["AllowedMethods"] for rule in cors] == [["GET", "HEAD", "PUT"]]


async def test_rules_that_others_made_stay(bucket_at, s3_server):
    s3_server.make_bucket("ruled-bucket")
    theirs = {"ID": "theirs", "Filter": {"Prefix": "logs/"}, "Status": "Enabled", "Expiration": {"Days": 30}}
    s3_server._client().put_bucket_lifecycle_configuration(
        Bucket="ruled-bucket", LifecycleConfiguration={"Rules": [theirs]}
    )
    async with bucket_at("ruled-bucket") as bucket:
        assert (await bucket.prepare()).ends_unfinished
    rules = s3_server._client().get_bucket_lifecycle_configuration(Bucket="ruled-bucket")["Rules"]
    assert sorted(rule["ID"] for rule in rules) == ["filewright", "theirs"]
    assert theirs in rules


async def test_the_probe_tells_what_the_server_does_and_leaves_nothing(bucket_at, s3_server):
    s3_server.make_bucket("probed-bucket")
    async with bucket_at("probed-bucket") as bucket:
        before = await bucket.probe()
        await bucket.prepare()
        after = await bucket.probe()
    assert before.missing == ["ends_unfinished", "admits_browsers"]
    assert after.missing == []
    assert s3_server._client().list_objects_v2(Bucket="probed-bucket")["KeyCount"] == 0


@pytest.mark.requirement("F15")
async def test_a_server_that_is_not_well_for_a_while_is_asked_again(bucket_at, s3_server):
    with FaultyProxy(s3_server.port) as proxy:
        proxy.arm(Fault(status=503), times=3)
        async with bucket_at("patient-bucket", proxy.endpoint) as bucket:
            assert (await bucket.prepare()).made
        assert proxy.met == 3


async def test_a_wrong_secret_or_a_missing_server_is_told(bucket_at):
    async with bucket_at("closed-bucket", secret="wrong") as bucket:
        with pytest.raises(StoreUnavailable, match="keys"):
            await bucket.prepare()
    async with bucket_at("closed-bucket", f"http://127.0.0.1:{free_port()}") as bucket:
        with pytest.raises(StoreUnavailable):
            await bucket.probe()
