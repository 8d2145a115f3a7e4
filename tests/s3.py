"""A real S3 server on this machine, moto's, for tests of data and remotes that lie in one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.request import Request, urlopen

import fsspec
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

BUCKET, SECRET = "shop", "not-to-be-shown"


class Bucket:
    """A bucket, and what is put into it."""

    def __init__(self) -> None:
        self.files: Any = fsspec.filesystem("s3", skip_instance_cache=True, use_listings_cache=False)
        self.files.mkdir(BUCKET)

    def put(self, name: str, content: bytes) -> None:
        self.files.pipe(f"{BUCKET}/{name}", content)

    def put_folder(self, folder: Path, name: str) -> None:
        for file in folder.rglob("*"):
            if file.is_file():
                self.put(f"{name}/{file.relative_to(folder).as_posix()}", file.read_bytes())

    def remove(self, name: str) -> None:
        self.files.rm(f"{BUCKET}/{name}")

    def names(self) -> list[str]:
        return list(self.files.find(BUCKET))


@contextmanager
def s3_here(home: Path) -> Iterator[Bucket]:
    """A server for as long as it is wanted; this process and those that it starts find it and nothing of the user's own.

    Args:
        home: an empty folder.
    """
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    # What an earlier server of this process was given is there still.
    urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
    found = {
        "HOME": str(home),
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }
    try:
        with patch.dict("os.environ", found):
            yield Bucket()
    finally:
        server.stop()
