"""A store on this machine, and what it needs in the environment."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "faults")]

from stores import Proxy  # noqa: E402

PLAIN = {
    "AWS_ACCESS_KEY_ID": "one",
    "AWS_SECRET_ACCESS_KEY": "two",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_MAX_ATTEMPTS": "3",
}


@pytest.fixture(scope="session")
def proxy():
    """The S3 server with a bucket ``bucket``, behind a proxy that can fail."""
    import logging

    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    made = Proxy(server.get_host_and_port()[1])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (PLAIN | {"AWS_ENDPOINT_URL": made.url}).items():
            patch.setenv(name, value)
        import fsspec

        fsspec.filesystem("s3").mkdir("bucket")
        yield made
    server.stop()


@pytest.fixture
def store(proxy, request):
    """A folder of the store of the test's own; afterwards the proxy passes everything on again."""
    yield f"s3://bucket/{request.node.name.partition('[')[0]}"
    proxy.failing, proxy.only, proxy.failed = 0, "", 0
    proxy.free.set()
