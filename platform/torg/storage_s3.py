"""Files in a bucket that speaks the S3 protocol: `s3://bucket/prefix?endpoint=…&region=…`.

Owns the adapter; `torg.storage` opens it. Names and secrets of the account come from the usual
variables of the client library (`AWS_ACCESS_KEY_ID`, …), never from the URL, which is shown.
"""

import secrets
import time
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

from torg.storage import FileMissingError, StoredFile, is_key

_UNKNOWN = frozenset({"NoSuchKey", "404", "NotFound"})


class BucketStorage:
    """Objects below a prefix; each is there whole or not at all, which the protocol promises."""

    def __init__(self, url: str) -> None:
        """Connect when the first file comes.

        Raises:
            ValueError: no bucket is named, or the client library is not installed.
        """
        parts = urlsplit(url)
        if not parts.netloc:
            raise ValueError("storage s3: name a bucket, as in s3://bucket/prefix")
        try:
            import boto3
            from botocore.config import Config
        except ImportError:
            raise ValueError("storage s3 needs the extra: pip install 'torg[s3]'") from None
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        self._bucket = parts.netloc
        self._prefix = f"{parts.path.strip('/')}/".lstrip("/")
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=options.get("endpoint"),
            region_name=options.get("region", "us-east-1"),
            config=Config(
                connect_timeout=5,
                read_timeout=30,
                retries={"max_attempts": 3},
                signature_version="s3v4",
            ),
        )
        self._link = lru_cache(maxsize=16384)(self._make_link)

    def put(self, content: bytes, content_type: str, area: str) -> str:
        """Keep an object under a generated key."""
        name = secrets.token_hex(16)
        key = f"{area}/{name[:2]}/{name}"
        self._client.put_object(
            Bucket=self._bucket, Key=self._name(key), Body=content, ContentType=content_type
        )
        return key

    def get(self, key: str) -> StoredFile:
        """Fetch an object."""
        from botocore.exceptions import ClientError

        try:
            found = self._client.get_object(Bucket=self._bucket, Key=self._name(key))
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _UNKNOWN:
                raise FileMissingError(key=key) from None
            raise
        return StoredFile(key, found["Body"].read(), found["ContentType"])

    def delete(self, key: str) -> None:
        """Remove an object; the protocol makes no error of one that is gone."""
        self._client.delete_object(Bucket=self._bucket, Key=self._name(key))

    def link(self, key: str, seconds: int) -> str | None:
        """A signed link of the bucket's own, the same for everybody who asks for a while."""
        return str(self._link(key, seconds, int(time.time()) // seconds))

    def upload_link(self, area: str, content_type: str, most_bytes: int, seconds: int) -> Any:
        """An address that takes one file of this type and at most this size, and its key.

        Returns:
            `(key, url, fields)`: send a form (POST) of the fields, then the field `file`.
        """
        name = secrets.token_hex(16)
        key = f"{area}/{name[:2]}/{name}"
        made = self._client.generate_presigned_post(
            self._bucket,
            self._name(key),
            Fields={"Content-Type": content_type},
            Conditions=[
                {"Content-Type": content_type},
                ["content-length-range", 1, most_bytes],
            ],
            ExpiresIn=seconds,
        )
        return key, made["url"], made["fields"]

    def check(self) -> str:
        """The same round trip that a real file makes."""
        key = self.put(b"torg", "text/plain", "health")
        try:
            if self.get(key).content != b"torg":
                raise OSError("a file read back differs from what was written")
        finally:
            self.delete(key)
        return f"bucket {self._bucket}"

    def _make_link(self, key: str, seconds: int, _period: int) -> str:
        made: str = self._client.generate_presigned_url(
            "get_object",
            Params={"Bucket": self._bucket, "Key": self._name(key)},
            ExpiresIn=2 * seconds,
        )
        return made

    def _name(self, key: str) -> str:
        if not is_key(key):
            raise FileMissingError(key=key)
        return f"{self._prefix}{key}"
