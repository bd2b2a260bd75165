import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.train.jobs import TrainingError, TrainingJobs, TrainingRequest, _read_json, read_run
from app.train.run import MAX_POINTS, Run
from sair_core.errors import ConfigError
from tests.app.fakes import FAKE_TRAINER, until

ROOT = Path(__file__).parents[3]
LONG = ("--steps", str(10**9))  # ends only when it is stopped


@pytest.fixture
def make_jobs(tmp_path):
    """TrainingJobs of one folder with the fake trainer and extra arguments; what still runs ends with the
    test."""
    folder = tmp_path / "runs"
    yield lambda *extra: TrainingJobs(folder, command=FAKE_TRAINER, extra=extra)
    for run in TrainingJobs(folder).runs():
        if run.active:
            os.kill(run.pid, signal.SIGKILL)


@pytest.fixture
def request_(tmp_path) -> TrainingRequest:
    return TrainingRequest(tmp_path / "My photos", start="sair-lite", minutes=1)


def ended(jobs: TrainingJobs, name: str) -> Run:
    until(lambda: not jobs.status(name).active)
    return jobs.status(name)


def test_a_training_from_start_to_end(make_jobs, request_):
    jobs = make_jobs("--steps", "12")
    assert jobs.runs() == []
    run = jobs.start(request_)
    assert run.name == "My-photos" and run.active and not run.resumable
    run = ended(jobs, run.name)
    assert (run.state, run.step, run.share) == ("finished", 12, 1.0)
    assert run.usable and not run.resumable
    assert list(run.pictures()) == [0, 5, 10]
    curves = run.curves()
    assert curves["psnr"] == [(0, 20.0), (5, 20.5), (10, 21.0)]
    assert len(curves["loss"]) == 12 and curves["loss"][-1] == (12, pytest.approx(1 / 13))
    until(lambda: "finished" in run.log_end())
    assert run.log_end()[-2:] == ["step 12 of many", "finished"]  # of a progress bar, its newest state
    assert jobs.runs() == [run]


def test_what_the_trainer_is_told(make_jobs, tmp_path):
    jobs = make_jobs("--steps", "1")
    request_ = TrainingRequest(
        tmp_path / "a", preset="tiny", minutes=2.5, learning_rate=1e-3, size_px=64, seed=0
    )  # fmt: skip
    run = ended(jobs, jobs.start(request_).name)
    told = json.loads((run.folder / "train.json").read_text())["train"]["arguments"]
    assert told == [
        "--data", str(tmp_path / "a"), "--preset", "tiny", "--minutes", "2.5", "--learning-rate", "0.001",
        "--size-px", "64", "--final-size-px", "128", "--seed", "0", "--output", str(run.folder),
        "--steps", "1",
    ]  # fmt: skip


def test_a_model_that_is_made_better_is_trained_gently(tmp_path):
    recommended = (ROOT / "docs" / "training.md").read_text("utf-8")
    arguments = TrainingRequest(tmp_path, start="sair-lite", minutes=1).arguments()
    gentle = arguments[arguments.index("--learning-rate") :]
    assert gentle[:2] == ["--learning-rate", "3e-4"] and " ".join(gentle) in recommended
    own = TrainingRequest(tmp_path, start="sair-lite", minutes=1, learning_rate=1e-3).arguments()
    assert own[-2:] == ["--learning-rate", "0.001"] and "--final-share" not in own
    assert "--learning-rate" not in TrainingRequest(tmp_path, preset="lite", minutes=1).arguments()


@pytest.mark.parametrize(
    "wrong", [{}, {"minutes": 0}, {"steps": -1}, {"steps": 1, "learning_rate": 0}, {"steps": 1, "size_px": 8}]
)
def test_plans_that_cannot_be(tmp_path, wrong):
    with pytest.raises(ConfigError):
        TrainingRequest(tmp_path, **wrong)


def test_stop_saves_and_resume_goes_on(make_jobs, request_):
    jobs = make_jobs(*LONG)
    name = jobs.start(request_).name
    until(lambda: jobs.status(name).step >= 3)
    asked = jobs.stop(name)
    assert asked.state in ("stopping", "stopped")
    stopped = ended(jobs, name)
    assert stopped.state == "stopped" and stopped.resumable and stopped.usable and stopped.step >= 3
    resumed = jobs.resume(name)
    assert resumed.state in ("starting", "scanning") and resumed.step in (0, stopped.step)
    until(lambda: jobs.status(name).state == "running" and jobs.status(name).step > stopped.step)
    assert f"step {stopped.step} of many" not in jobs.status(name).log_end()  # its own log only
    jobs.stop(name)
    assert jobs.stop(name).state in ("stopping", "stopped")  # twice is once
    assert ended(jobs, name).state == "stopped"


def test_one_at_a_time_whoever_started_it(make_jobs, request_):
    jobs = make_jobs(*LONG)
    name = jobs.start(request_).name
    for other in (jobs, make_jobs()):
        with pytest.raises(TrainingError, match="One training at a time: My-photos is"):
            other.start(request_)
        with pytest.raises(TrainingError, match="One training at a time"):
            other.resume(name)
    jobs.stop(name)
    ended(jobs, name)
    second = make_jobs().start(request_)
    assert second.name == "My-photos-2"
    assert [run.name for run in jobs.runs()] == ["My-photos-2", "My-photos"]


def test_a_training_outlives_the_app(make_jobs, request_, tmp_path):
    code = (
        "import sys; from pathlib import Path; from app.train.jobs import TrainingRequest, TrainingJobs\n"
        "from tests.app.fakes import FAKE_TRAINER\n"
        f"jobs = TrainingJobs(Path({str(tmp_path / 'runs')!r}), command=FAKE_TRAINER, extra={LONG!r})\n"
        f"run = jobs.start(TrainingRequest(Path({str(request_.data)!r}), minutes=1))\n"
        "print(run.pid)"
    )
    app = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    jobs = make_jobs()
    until(lambda: jobs.status("My-photos").state == "running")
    run = jobs.status("My-photos")
    assert run.pid == int(app.stdout) and os.getsid(run.pid) == run.pid
    jobs.stop(run.name)
    assert ended(jobs, run.name).state == "stopped"


def test_a_process_that_is_gone_without_a_word(make_jobs, tmp_path):
    jobs = make_jobs()
    run = ended(jobs, jobs.start(TrainingRequest(tmp_path / "killed", steps=9)).name)
    assert run.state == "interrupted" and run.step == 2 and run.resumable
    assert ended(jobs, jobs.resume(run.name).name).state == "finished"


def test_a_report_that_is_replaced_while_it_is_read(tmp_path, monkeypatch):
    """What the process before wrote, with the time of the present one's report, would say that it is gone."""
    gone, here = 1, 2
    report = tmp_path / "progress.json"
    report.write_text(json.dumps({"state": "running", "pid": gone}))
    os.utime(report, (1000, 1000))
    (tmp_path / "job.json").write_text(json.dumps({"pid": here, "started": 2000.0}))

    def read_late(path):
        found = _read_json(path)
        if path == report:
            report.write_text(json.dumps({"state": "scanning", "pid": here}))
        return found

    monkeypatch.setattr("app.train.jobs._read_json", read_late)
    monkeypatch.setattr("app.train.jobs._find_process", lambda pid, folder: pid if pid == here else None)
    assert read_run(tmp_path).state == "starting"
    assert read_run(tmp_path).state == "scanning"


def test_an_error_before_the_first_report(make_jobs, tmp_path):
    jobs = make_jobs()
    run = ended(jobs, jobs.start(TrainingRequest(tmp_path / "unusable", steps=9)).name)
    assert (run.state, run.message) == ("failed", f"{tmp_path / 'unusable'} holds no photos.")
    with pytest.raises(TrainingError, match="no state saved"):
        jobs.resume(run.name)


def test_an_error_later(make_jobs, tmp_path):
    jobs = make_jobs()
    run = ended(jobs, jobs.start(TrainingRequest(tmp_path / "broken", steps=9)).name)
    assert (run.state, run.message) == ("failed", "The loss is not a number at step 3.")
    assert run.resumable


def test_stopped_before_the_first_report(make_jobs, tmp_path):
    jobs = make_jobs()
    run = jobs.start(TrainingRequest(tmp_path / "late", steps=9))
    assert run.state == "starting"
    jobs.stop(run.name)
    run = ended(jobs, run.name)
    assert run.state == "stopped" and not run.resumable


def test_a_trainer_that_cannot_be_started(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match="--runs"):
        TrainingJobs(tmp_path / "file").start(TrainingRequest(tmp_path, steps=1))
    with pytest.raises(TrainingError, match="could not be started"):
        TrainingJobs(tmp_path / "runs", command=["/nowhere"]).start(TrainingRequest(tmp_path, steps=1))


def test_a_number_that_went_to_another_process(tmp_path):
    folder = tmp_path / "runs" / "old"
    folder.mkdir(parents=True)
    report = {"state": "running", "step": 5, "share": 0.5, "seconds": 3.0, "pid": os.getpid()}
    (folder / "progress.json").write_text(json.dumps(report))
    (run,) = TrainingJobs(folder.parent).runs()
    assert run.state == "interrupted" and run.step == 5 and not run.resumable
    assert TrainingJobs(folder.parent).stop("old").state == "interrupted"  # and this process goes on


def test_a_training_of_the_terminal_is_found(make_jobs, tmp_path):
    folder = tmp_path / "runs" / "mine"
    folder.mkdir(parents=True)
    command = [*FAKE_TRAINER, "--data", "x", "--output", str(folder), *LONG]
    process = subprocess.Popen(command, cwd=ROOT)
    jobs = make_jobs()
    until(lambda: jobs.runs() and jobs.status("mine").state == "running")
    with pytest.raises(TrainingError, match="mine is running"):
        jobs.start(TrainingRequest(tmp_path, steps=1))
    jobs.stop("mine")
    assert process.wait(20) == 0 and jobs.status("mine").state == "stopped"


def test_other_folders_are_no_runs(tmp_path):
    for name, content in {"notes": None, "half": "{", "list": "[]"}.items():
        (tmp_path / name).mkdir()
        if content:
            (tmp_path / name / "progress.json").write_text(content)
    (tmp_path / "file").touch()
    jobs = TrainingJobs(tmp_path)
    assert jobs.runs() == []
    for name in ("notes", "..", ""):
        with pytest.raises(TrainingError, match="any more"):
            jobs.status(name)


def test_a_report_of_the_process_before_is_old(tmp_path):
    (tmp_path / "progress.json").write_text(json.dumps({"state": "failed", "message": "no", "step": 4}))
    (tmp_path / "train.log").write_text("error: before\nerror: now\n")
    job = {"pid": 2**22 + 1, "started": time.time() + 1, "log_from": len("error: before\n")}
    (tmp_path / "job.json").write_text(json.dumps(job))
    run = read_run(tmp_path)
    assert (run.state, run.message, run.step) == ("failed", "now", 4)


def test_curves_hold_what_was_measured(tmp_path):
    rows = "\n".join(f"{i},{i}.0,,{'' if i % 2 else 1 / (i + 1)}" for i in range(2000))
    (tmp_path / "log.csv").write_text(f"step,seconds,psnr,loss\n{rows}\n2000,1,nan,0.5\n2001,x\n")
    curves = Run(tmp_path, "running").curves()
    assert curves["psnr"] == [] and len(curves["loss"]) <= MAX_POINTS
    assert curves["loss"][-1] == (2000, 0.5) and curves["loss"] == sorted(curves["loss"])
    assert Run(tmp_path / "nowhere", "running").curves() == {"loss": [], "psnr": []}
    assert Run(tmp_path / "nowhere", "running").log_end() == []
