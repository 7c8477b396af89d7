"""Where a bucket is: from our own processes, and from a browser, which may know it by another name."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlsplit

_KNOWN = {"endpoint", "public_endpoint", "region"}
_NOBODY = "none"


@dataclass(frozen=True)
class S3Address:
    """`s3://bucket/prefix?endpoint=…&public_endpoint=…&region=…`.

    Without an endpoint it is Amazon's own, which has a host for each bucket; any other gets the bucket in the path.
    Clients are sent to the public endpoint, or, without one, to where we go ourselves; `public_endpoint=none` says that
    they can reach neither.
    """

    bucket: str
    prefix: str
    region: str
    endpoint: str | None = None
    public_endpoint: str | None = None
    public: bool = True

    @property
    def bucket_url(self) -> str:
        """For ourselves."""
        return self._bucket_at(self.endpoint)

    def object_url(self, key: str) -> str:
        """For ourselves."""
        return f"{self.bucket_url}/{self._path(key)}"

    def public_url(self, key: str) -> str:
        """For browsers and other clients."""
        return f"{self._bucket_at(self.public_endpoint or self.endpoint)}/{self._path(key)}"

    def _bucket_at(self, endpoint: str | None) -> str:
        if endpoint is None:
            return f"https://{self.bucket}.s3.{self.region}.amazonaws.com"
        return f"{endpoint}/{self.bucket}"

    def _path(self, key: str) -> str:
        return quote(f"{self.prefix}/{key}" if self.prefix else key, safe="/-_.~")


def parse_s3_address(url: str) -> S3Address:
    """The address in a storage URL. Raises ValueError that says what is wrong."""
    parts = urlsplit(url)
    if parts.scheme != "s3" or not parts.netloc:
        raise ValueError("the address of a bucket is s3://bucket")
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if unknown := sorted(set(query) - _KNOWN):
        raise ValueError(f"a storage URL has no {unknown[0]}; it may have {', '.join(sorted(_KNOWN))}")
    public = query.get("public_endpoint")
    return S3Address(
        bucket=parts.netloc,
        prefix=parts.path.strip("/"),
        region=query.get("region", "us-east-1"),
        endpoint=_origin("endpoint", query.get("endpoint")),
        public_endpoint=_origin("public_endpoint", public if public != _NOBODY else None),
        public=public != _NOBODY,
    )


def _origin(name: str, value: str | None) -> str | None:
    if value is None:
        return None
    parts = urlsplit(value)
    # A path would be part of what is signed, and no server would find it there.
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError(f"{name} of a storage URL is https://host or https://host:port")
    return f"{parts.scheme}://{parts.netloc}"
