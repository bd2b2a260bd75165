import os
import subprocess
import sys

import pytest

from app.cli import COMMANDS
from benchmarks import contention
from sair_core import cores


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def quotas(tmp_path, membership):
    write(tmp_path / "self", membership)
    return sorted(cores._read_quotas(tmp_path / "cgroup", tmp_path / "self"))


def test_quotas_of_all_groups_above_count(tmp_path):
    write(tmp_path / "cgroup" / "cpu.max", "max 100000\n")
    write(tmp_path / "cgroup" / "pod" / "cpu.max", "400000 100000\n")
    write(tmp_path / "cgroup" / "pod" / "app" / "cpu.max", "150000 100000\n")
    assert quotas(tmp_path, "0::/pod/app\n") == [1.5, 4.0]
    assert quotas(tmp_path, "0::/pod\n") == [4.0]
    assert quotas(tmp_path, "0::/\n") == []


def test_quotas_of_the_older_groups_count(tmp_path):
    write(tmp_path / "cgroup" / "cpu" / "docker" / "cpu.cfs_quota_us", "200000\n")
    write(tmp_path / "cgroup" / "cpu" / "docker" / "cpu.cfs_period_us", "100000\n")
    write(tmp_path / "cgroup" / "cpu" / "cpu.cfs_quota_us", "-1\n")
    write(tmp_path / "cgroup" / "cpu" / "cpu.cfs_period_us", "100000\n")
    assert quotas(tmp_path, "5:memory:/docker\n4:cpu,cpuacct:/docker\n0::/\n") == [2.0]


def test_a_system_without_groups_has_no_quota(tmp_path):
    assert list(cores._read_quotas(tmp_path, tmp_path / "none")) == []


@pytest.mark.parametrize(("quota", "usable"), [(0.5, 1), (1.5, 2), (1000.0, None)])
def test_a_quota_limits_the_cores(monkeypatch, quota, usable):
    bound = cores.count_usable_cores()
    monkeypatch.setattr(cores, "_read_quotas", lambda *places: iter([quota]))
    assert cores.count_usable_cores() == min(bound, usable or bound)


def test_threads_sleep_while_they_wait_and_what_the_user_set_is_kept(monkeypatch):
    for name in ("OMP_WAIT_POLICY", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    monkeypatch.setattr(cores, "count_usable_cores", lambda: 3)
    cores.share_cores()
    assert (os.environ["OMP_WAIT_POLICY"], os.environ["OMP_NUM_THREADS"]) == ("PASSIVE", "3")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    cores.share_cores()
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_torch_is_not_there_before_a_command_says_how_its_threads_wait():
    work = sorted({module for name, module in COMMANDS.items() if not name.startswith("evaluate")})
    code = f"""
import importlib, sys
for module in {work}:
    importlib.import_module(module, "app")
    assert "torch" not in sys.modules, module
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_torch_takes_the_threads_that_a_command_sets():
    code = """
import os
from app.cli import main
assert main(["fill", "no.png", "no.png", "-o", "no.jpg"]) == 2
import torch
print(torch.get_num_threads(), os.environ["OMP_WAIT_POLICY"])
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP", "MKL"))}
    done = subprocess.run([sys.executable, "-c", code], env=environment, text=True, capture_output=True)
    assert done.stdout.split() == [str(cores.count_usable_cores()), "PASSIVE"], done.stderr


def test_the_benchmark_asks_for_what_there_is(capsys):
    with pytest.raises(SystemExit):
        contention.main(["--help"])
    assert "--spin" in capsys.readouterr().out
    with contention.busy_core():
        pass
