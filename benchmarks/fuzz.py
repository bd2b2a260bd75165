"""Broken pictures at the door: `python benchmarks/fuzz.py --help`.

Files of six formats, damaged at random from a seed, are opened as photos and as masks, in a process of their
own that is told which file comes next. Whatever that process does not survive is a crash; five seconds of its
own time are a hang. Sound files instead: --attachments has odd things attached to them, and each must open as
a photo and as a mask, turned as its orientation says, and be written again; --masks and --label-maps are
drawn in many ways, and each must open as what was drawn. With --api or --app the damaged files are sent to a
running app, with --bodies requests whose JSON is odd.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # run from anywhere, installed or not

from benchmarks.attachments import attached  # noqa: E402
from benchmarks.damage import SIZE_PX, mutated  # noqa: E402
from benchmarks.drawn import CLASSES, Drawn, drawn_map, drawn_mask  # noqa: E402
from sair_core.errors import DataError, SairError  # noqa: E402
from sair_core.photos.folders import read_label_map  # noqa: E402
from sair_core.photos.masks import as_mask  # noqa: E402
from sair_core.photos.photo import load_photo  # noqa: E402
from sair_core.photos.write import encode_image  # noqa: E402

HANG_SECONDS = 5
MEMORY_BAR_GB = 1.5
STALL_SECONDS = 60.0  # of silence, on however busy a machine
OPENED, REJECTED, UNTYPED, CRASH, HANG = "opened", "rejected", "untyped error", "crash", "hang"
LOST, TURNED, WRONG = "lost", "wrong orientation", "wrong pixels"  # of sound pictures
NAMES = {"answer": OPENED, "message": REJECTED, "error": UNTYPED, "silence": HANG, "gone": CRASH}
BAD = (UNTYPED, CRASH, HANG, LOST, TURNED, WRONG)


@dataclass(frozen=True)
class Outcome:
    """What became of one file: number, format, one of OPENED to HANG, seconds, and what was said."""

    index: int
    format: str
    kind: str
    seconds: float
    text: str = ""


def main(argv: Sequence[str] | None = None) -> int:
    """Prints what became of the files; exit status 1 if a bar is broken."""
    args = parse_arguments(argv)
    if args.child is not None:
        run_child(args.kind, args.seed, args.child, args.files)
        return 0
    if args.one is not None:
        sys.stdout.buffer.write(KINDS[args.kind](args.seed, args.one).data)
        return 0
    if args.bodies:
        outcomes, memory_gb = through_endpoints(args)
    elif args.app or args.api:
        outcomes, memory_gb = through_app(args)
    else:
        outcomes, memory_gb = through_loader(args.kind, args.seed, args.files)
    return show(outcomes, memory_gb, args.seed)


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the damage (default: %(default)s)")
    parser.add_argument("--api", metavar="URL", help="send them to the app that runs there")
    parser.add_argument("--app", action="store_true", help="start the app, send them to it, stop it")
    parser.add_argument("--one", type=int, metavar="NUMBER", help="write this file to the standard output")
    kind = {"action": "store_const", "dest": "kind", "default": "damage"}
    parser.add_argument("--attachments", const="attachments", help="sound pictures with odd metadata", **kind)
    parser.add_argument("--masks", const="masks", help="masks drawn in many ways", **kind)
    parser.add_argument("--label-maps", const="label-maps", help="label maps of all kinds", **kind)
    parser.add_argument(
        "--bodies", action="store_true", help="odd JSON to an app's endpoints (with --app or --api)"
    )
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def show(outcomes: Sequence[Outcome], memory_gb: float | None, seed: int) -> int:
    """The table, then every file that broke a bar; the exit status."""
    for format in dict.fromkeys(outcome.format for outcome in outcomes):
        counts = Counter(outcome.kind for outcome in outcomes if outcome.format == format)
        print(f"{format:5}", ", ".join(f"{counts[kind]} {kind}" for kind in (OPENED, REJECTED, *BAD)))
    broken = [outcome for outcome in outcomes if outcome.kind in BAD]
    for outcome in broken:
        print(f"{outcome.kind}: file {outcome.index} ({outcome.format}) {outcome.text}")
    if broken:
        print(f"See one with: python benchmarks/fuzz.py --seed {seed} --one {broken[0].index} > file")
    slowest = max((outcome.seconds for outcome in outcomes), default=0.0)
    memory = "not known" if memory_gb is None else f"{memory_gb:.2f} GB (bar {MEMORY_BAR_GB:g})"
    print(f"{len(outcomes)} files, seed {seed}; slowest {slowest:.2f} s; peak memory {memory}")
    return int(bool(broken) or (memory_gb or 0.0) > MEMORY_BAR_GB)


def opened(data: bytes) -> tuple[str, str]:
    """Open a file as a photo and as a mask: kind and what was said."""
    outcomes = []
    for read in (load_photo, lambda data: as_mask(data, SIZE_PX)):
        try:
            read(data)
            outcomes.append((OPENED, ""))
        except SairError as error:
            outcomes.append((REJECTED, str(error)))
        except Exception as error:
            return UNTYPED, f"{type(error).__name__}: {error}"
    return outcomes[0]  # as a photo: many of them are no mask for a photo of SIZE_PX


def opened_with_attachments(data: bytes, orientation: int) -> tuple[str, str]:
    """Open a sound picture in every way and write it again: kind and what was said."""
    try:
        photo = load_photo(data)
        if photo.orientation != orientation:
            return TURNED, f"{photo.orientation}, want {orientation}"
        shapes = {photo.size_px, as_mask(data).shape}
        for format in ("JPEG", "PNG", "WEBP", "TIFF"):
            again = load_photo(encode_image(photo, format))
            shapes.add(again.size_px)
        return (OPENED, "") if len(shapes) == 1 else (TURNED, f"{shapes}")
    except SairError as error:
        return LOST, str(error)
    except Exception as error:
        return UNTYPED, f"{type(error).__name__}: {error}"


def opened_as_drawn(case: Drawn) -> tuple[str, str]:
    """Open a mask that is known: kind and what was said."""
    assert case.meant is not None
    try:
        mask = as_mask(case.data, case.meant.shape)
    except SairError as error:
        return LOST, str(error)
    except Exception as error:
        return UNTYPED, f"{type(error).__name__}: {error}"
    share = float((mask != case.meant).mean())
    return (OPENED, "") if share <= case.share else (WRONG, f"{share:.1%} of them")


def opened_as_label_map(case: Drawn) -> tuple[str, str]:
    """Open a label map that is known beside its photo: kind and what was said."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.png"
        path.write_bytes(case.data)
        size_px = case.size_px
        try:
            ids = read_label_map(path, size_px, CLASSES, orientation=case.orientation)
        except DataError as error:
            return (REJECTED if case.meant is None else LOST), str(error)
        except Exception as error:
            return UNTYPED, f"{type(error).__name__}: {error}"
    sound = case.meant is not None and (ids == case.meant).all()
    return (OPENED, "") if sound else (WRONG, "of a map" if case.meant is not None else "of no map")


@dataclass(frozen=True)
class Trial:
    """A file, and how it is tried: a function that tells kind and what was said."""

    format: str
    data: bytes
    run: Callable[[], tuple[str, str]]


def _damaged(seed: int, index: int) -> Trial:
    format, data = mutated(seed, index)
    return Trial(format, data, lambda: opened(data))


def _attached(seed: int, index: int) -> Trial:
    case = attached(seed, index)
    return Trial(case.format, case.data, lambda: opened_with_attachments(case.data, case.orientation))


def _mask(seed: int, index: int) -> Trial:
    case = drawn_mask(seed, index)
    return Trial(case.format, case.data, lambda: opened_as_drawn(case))


def _label_map(seed: int, index: int) -> Trial:
    case = drawn_map(seed, index)
    return Trial(case.format, case.data, lambda: opened_as_label_map(case))


KINDS: dict[str, Callable[[int, int], Trial]] = {
    "damage": _damaged, "attachments": _attached, "masks": _mask, "label-maps": _label_map
}  # fmt: skip


def run_child(kind: str, seed: int, first: int, files: int) -> None:
    """Open files `first` and on; a line for each that begins, then one that says what became of it."""
    for index in range(first, files):
        trial = KINDS[kind](seed, index)
        print(json.dumps({"begun": index}), flush=True)
        # Not caught: the process ends, as nothing else would stop a decoder that is not Python's.
        signal.setitimer(signal.ITIMER_PROF, HANG_SECONDS)
        started = time.process_time()
        became, text = trial.run()
        outcome = Outcome(index, trial.format, became, time.process_time() - started, text)
        signal.setitimer(signal.ITIMER_PROF, 0)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peak_gb = peak / (2**30 if sys.platform == "darwin" else 2**20)  # bytes there, kilobytes elsewhere
        print(json.dumps({**asdict(outcome), "peak_gb": peak_gb}), flush=True)


def through_loader(kind: str, seed: int, files: int) -> tuple[list[Outcome], float]:
    """What became of all files, and the largest memory that a process of theirs took."""
    outcomes: list[Outcome] = []
    peak_gb = 0.0
    while len(outcomes) < files:
        begun = len(outcomes)
        command = [
            sys.executable,
            str(Path(__file__)),
            f"--child={begun}",
            f"--files={files}",
            f"--seed={seed}",
            *([] if kind == "damage" else [f"--{kind}"]),
        ]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        started = False
        for told in _lines(child):
            started = True
            if "begun" in told:
                continue
            peak_gb = max(peak_gb, told.pop("peak_gb"))
            outcomes.append(Outcome(**told))
        if child.wait() != 0:
            if not started:
                raise RuntimeError("The child process did not start.")
            hung = child.returncode in (-signal.SIGPROF, -signal.SIGKILL)
            index = len(outcomes)
            text = f"of {HANG_SECONDS} s" if hung else f"exit status {child.returncode}"
            format = KINDS[kind](seed, index).format
            outcomes.append(Outcome(index, format, HANG if hung else CRASH, 0.0, text))
    return outcomes, peak_gb


def _lines(child: subprocess.Popen[str]) -> Iterator[dict]:
    """What the child prints, until it ends; it is killed when it is silent for too long."""
    assert child.stdout is not None
    watch: list[threading.Timer] = []

    def wind_up() -> None:
        for timer in watch:
            timer.cancel()
        watch[:] = [threading.Timer(STALL_SECONDS, child.kill)]
        watch[0].start()

    wind_up()
    for line in child.stdout:
        wind_up()
        yield json.loads(line)
    watch[0].cancel()


def through_endpoints(args: argparse.Namespace) -> tuple[list[Outcome], float | None]:
    """Odd requests to the endpoints of an app."""
    from benchmarks.bodies import connect, odd_body, send_body, sound_values
    from benchmarks.serving import app_memory_gb, running_app

    with running_app(args.api) as (url, pid), connect(url) as client:
        endpoints = sound_values(client)
        outcomes = []
        for index in range(args.files):
            body = odd_body(args.seed, index, endpoints)
            started = time.perf_counter()
            answer, text = send_body(client, body)
            seconds = time.perf_counter() - started
            outcomes.append(Outcome(index, body.endpoint, NAMES[answer], seconds, text[:300]))
        return outcomes, None if pid is None else app_memory_gb(pid)


def through_app(args: argparse.Namespace) -> tuple[list[Outcome], float | None]:
    """Each file to an app's endpoints, in turn as the photo and as the mask."""
    from benchmarks.serving import app_memory_gb, running_app  # the children do without

    with tempfile.TemporaryDirectory() as folder, running_app(args.api) as (url, pid):
        calls = _calls(url, Path(folder))
        outcomes = []
        for index in range(args.files):
            format, data = mutated(args.seed, index)
            path = Path(folder) / "file"
            path.write_bytes(data)
            started = time.perf_counter()
            kind, text = calls[index % len(calls)](path)
            outcomes.append(Outcome(index, format, kind, time.perf_counter() - started, text))
        return outcomes, None if pid is None else app_memory_gb(pid)


def _calls(url: str, folder: Path) -> list[Callable[[Path], tuple[str, str]]]:
    from benchmarks.bodies import LIMIT_SECONDS
    from benchmarks.serving import TALK_SECONDS, send

    photo = folder / "photo.png"
    Image.new("RGB", SIZE_PX[::-1], (90, 150, 230)).save(photo)
    send(url, "/view", photo, None, 0, 0, 1, 16, 16, seconds=LIMIT_SECONDS)  # now the model is loaded

    def as_photo(path: Path) -> tuple[str, str]:
        kind, text = send(url, "/view", path, None, 0, 0, 1, 16, 16, seconds=HANG_SECONDS + TALK_SECONDS)
        return NAMES[kind], text

    def as_hole(path: Path) -> tuple[str, str]:
        kind, text = send(url, "/view", photo, path, 0, 0, 1, 16, 16, seconds=HANG_SECONDS + TALK_SECONDS)
        return NAMES[kind], text

    return [as_photo, as_hole]


if __name__ == "__main__":
    sys.exit(main())
