"""The same command on a cluster of two workers, one of which is killed in the middle."""

from __future__ import annotations

import pytest

from sair_core.batch.runners import connect

ray = pytest.importorskip("ray", reason="the optional extra ray is not installed: pip install 'ray[data]'")
pytest.importorskip("ray.data", reason="Ray is installed without its data library: pip install 'ray[data]'")


@pytest.fixture
def cluster():
    connect(num_cpus=2, include_dashboard=False)
    yield
    ray.shutdown()


def test_a_dead_worker_loses_nothing_and_nothing_is_done_twice(folders, cluster):
    for i in range(8):
        folders.add(f"more-{i}.png", 50 + i, 60)
    assert folders.run("--runner", "ray", "--workers", "2", kill_at=4) == 0
    assert (folders.log.with_suffix(".died")).exists()
    assert folders.statuses() == ["done"] * 13
    fills = folders.log.read_text().splitlines()
    assert len(set(fills)) == 13 and len(fills) == 14  # the one that the worker died with was begun twice
    assert not (folders.out / ".done").exists()
    assert folders.run("--runner", "ray", "--workers", "2") == 0
    assert folders.statuses() == ["skipped"] * 13 and len(folders.log.read_text().splitlines()) == 14
