"""Runs a mapper on a Ray cluster with Ray Data: one task reads, actors with the models map, this process collects.

Ray restarts a killed worker and repeats its undelivered batches. The reading task runs on this machine, because the
workspace may be local, and waits while the object store holds enough batches.
"""

from __future__ import annotations

import logging
import os
import pickle
import warnings
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from phrasebox.errors import MissingExtraError, OfflineError, PeerError, SettingsError
from phrasebox.io.offline import is_offline
from phrasebox.pipeline.base import Engine, Source, batches
from phrasebox.pipeline.mapper import Mapped, Mapper, Worker

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # do not lower the priority of workers
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # do not log every restart of a worker
}


def over_ray(source: Source[Any], mapper: Mapper, size: int, engine: Engine) -> Generator[Mapped]:
    """Map the batches of a source on a cluster; results come in order of completion, each exactly once.

    Raises
    ------
    MissingExtraError
        If Ray is not installed.
    SettingsError
        If the cluster cannot be reached, or has no core, or no GPU for a mapper that needs one.
    OfflineError
        In offline mode, if the cluster is not on this machine.
    PeerError
        If the cluster ended before the job.
    """
    ray = _imported()
    with warnings.catch_warnings(), _cluster(ray, engine):
        warnings.filterwarnings("ignore", module=r"ray\.")
        try:
            yield from _results(ray, source, mapper, size)
        except ray.exceptions.RayError as error:
            first = str(error).strip().partition("\n")[0]
            raise PeerError(f"the Ray cluster failed: {first}; run the same command again to continue") from error


def _results(ray: Any, source: Source[Any], mapper: Mapper, size: int) -> Iterator[Mapped]:
    from ray.data import ActorPoolStrategy

    there = ray.cluster_resources()
    gpus = 0 if mapper.device == "cpu" else 1
    count = int(there.get("GPU" if gpus else "CPU", 0))
    if not count:
        raise SettingsError(f"the Ray cluster has no {'GPU' if gpus else 'core'}; use another --device or --address")
    here = {"ray.io/node-id": ray.get_runtime_context().get_node_id()}
    found = ray.data.read_datasource(
        _read(source, size), override_num_blocks=1, num_cpus=0, label_selector=here
    ).map_batches(
        _Actor,
        fn_constructor_args=(mapper.alone(), is_offline()),
        batch_size=1,
        batch_format="pyarrow",
        compute=ActorPoolStrategy(size=min(count, -(-len(source) // size))),
        num_cpus=0 if gpus else 1,
        num_gpus=gpus,
    )
    seen: set[int] = set()
    for table in found.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
        for number, answer in zip(table["number"].to_pylist(), table["answer"], strict=True):
            result = pickle.loads(answer.as_buffer())
            if isinstance(result, Exception):
                raise result
            if number not in seen:
                seen.add(number)
                yield result
    if len(seen) < -(-len(source) // size):
        raise PeerError("the Ray cluster lost some batches; run the same command again to continue")


def _read(source: Source[Any], size: int) -> Any:
    """Ray data source with one row a batch, in blocks of one row."""
    from ray.data import Datasource, ReadTask
    from ray.data.block import BlockMetadata

    count = -(-len(source) // size)

    class Batches(Datasource):
        def estimate_inmemory_data_size(self) -> int | None:
            return None

        def get_read_tasks(self, parallelism: int, *more: Any, **others: Any) -> list[ReadTask]:
            return [ReadTask(lambda: _blocks(source, size), BlockMetadata(count, None, None, None))]

    return Batches()


def _blocks(source: Iterable[Any], size: int) -> Iterator[pa.Table]:
    for number, batch in enumerate(batches(source, size)):
        yield _table(number=number, batch=pickle.dumps(batch, pickle.HIGHEST_PROTOCOL))


class _Actor:
    """A worker as a Ray Data actor."""

    def __init__(self, mapper: Mapper, offline: bool) -> None:
        self._worker = Worker(mapper, offline)

    def __call__(self, table: pa.Table) -> pa.Table:
        answer = self._worker.answer(pickle.loads(table["batch"][0].as_buffer()))
        return _table(number=table["number"][0].as_py(), answer=pickle.dumps(answer, pickle.HIGHEST_PROTOCOL))


def _table(number: int, **large: bytes) -> pa.Table:
    ((name, value),) = large.items()
    return pa.table({"number": [number], name: pa.array([value], pa.large_binary())})


def _imported() -> Any:
    os.environ.update(ENVIRONMENT)
    try:
        import ray
        import ray.data
    except ImportError:
        raise MissingExtraError("ray", "ray") from None
    return ray


@contextmanager
def _cluster(ray: Any, engine: Engine) -> Iterator[None]:
    """Join the cluster at the address or start one on this machine; an existing connection is used and left open."""
    logging.getLogger("ray").setLevel(logging.ERROR)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.enable_auto_log_stats = False
    context.target_max_block_size = 1  # one batch a block, so that it is mapped as soon as it is read
    if ray.is_initialized():
        yield
        return
    quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
    try:
        if engine.address is None:
            # Ray forks to start its servers, which makes Lance warn; the fork does not use Lance.
            warnings.filterwarnings("ignore", message="lancedb fork support")
            ray.init("local", num_cpus=engine.workers, include_dashboard=False, _node_ip_address="127.0.0.1", **quiet)
        else:
            host = engine.address.rpartition("://")[2].rpartition(":")[0].strip("[]")
            if is_offline() and host not in ("", "localhost", "::1") and not host.startswith("127."):
                raise OfflineError(f"--offline forbids the Ray cluster at {engine.address}; take --engine local")
            ray.init(engine.address, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        first = str(error).strip().partition("\n")[0]
        raise SettingsError(
            f"no Ray cluster can be {'started' if engine.address is None else f'reached at {engine.address}'}: {first}"
            "; start one with: ray start --head, or take --engine local"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()
