"""Somebody who uses a running app, and who knows which answers are right."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from gradio_client import handle_file
from gradio_client.utils import QueueError
from PIL import Image

from benchmarks.serving import ask, new_client

RIGHT, LEFT, REFUSED, WRONG, FAILED = "right", "left", "refused", "wrong", "failed"
HEIGHT_PX = 96
PATIENCE_SECONDS = 120.0  # more than any queue of these should take
QUEUE_FULL = "Queue is full"
BURST = 24  # requests at once: several visitors together fill the queue
LABELS = ("sky", "road", "everything else")


class Trouble(Exception):
    """An answer that is none, or not the right one. what: REFUSED, WRONG or FAILED."""

    def __init__(self, what: str, text: str):
        super().__init__(text)
        self.what = what


@dataclass(frozen=True)
class Outcome:
    """What became of one action: its kind, one of RIGHT to FAILED, seconds, and what was said."""

    kind: str
    what: str
    seconds: float
    text: str = ""


class Visitor:
    """A session with an app, with a photo whose size and colours no other number has. For one thread."""

    def __init__(self, url: str, number: int, folder: Path):
        """folder: exists, for this visitor's files."""
        self.url = url
        self.rng = np.random.default_rng(number)
        size = 128 + 4 * number, HEIGHT_PX
        coarse = self.rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        photo = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
        self.photo = np.asarray(photo)
        self.file, self.broken_file = folder / "photo.png", folder / "broken.png"
        photo.save(self.file)
        self.broken_file.write_bytes(self.file.read_bytes()[:60])
        self.holes: dict[Path, np.ndarray] = {}
        for i in range(3):
            hole = np.zeros(self.photo.shape[:2], bool)
            top, left = self.rng.integers(0, 60, 2)
            hole[top : top + 30, left : left + 40] = True
            Image.fromarray(hole).save(folder / f"mask-{i}.png")
            self.holes[folder / f"mask-{i}.png"] = hole
        self.client = new_client(url, folder)

    def load_page(self) -> None:
        """Begin a new session, as who loads the page anew."""
        before, self.client = self.client, new_client(self.url, self.file.parent)
        before.close()

    def act(self, kind: str | None = None) -> Outcome:
        """Do one thing, a random one unless a key of ACTIONS is given."""
        if kind is None:
            shares = np.array([share for _, share in ACTIONS.values()])
            kind = str(self.rng.choice(list(ACTIONS), p=shares / shares.sum()))
        started = time.perf_counter()
        try:
            what, text = ACTIONS[kind][0](self), ""
        except Trouble as error:
            what, text = error.what, str(error)
        except Exception as error:  # the client's own, of which it has many
            what, text = FAILED, f"{type(error).__name__}: {error}"
        return Outcome(kind, what, time.perf_counter() - started, text)

    def fill(self) -> str:
        mask = self._mask()
        self._check_fill(self._picture("/fill", self.file, mask), mask)
        return RIGHT

    def variations(self) -> str:
        mask, seed = self._mask(), int(self.rng.integers(1000))
        paths, seeds = self._ask("/variations", self.file, mask, 2, seed)
        _require(seeds == [seed, seed + 1], "other seeds")
        first, second = map(_opened, paths)
        for fill in (first, second):
            self._check_fill(fill, mask)
        _require((first != second).any(), "two seeds with one fill")
        return RIGHT

    def view(self) -> str:
        """The whole photo at its own scale; the green alone, as the tests' model turns blue round."""
        height, width = self.photo.shape[:2]
        seen = self._picture("/view", self.file, None, 0, 0, 1, width, height)
        _require(seen.shape == self.photo.shape, "a view of another size")
        _require(
            np.abs(seen[..., 1] - self.photo[..., 1].astype(float)).mean() < 2, "a view of another photo"
        )
        return RIGHT

    def export(self) -> str:
        height, width = self.photo.shape[:2]
        large = self._picture("/export", self.file, 2, "PNG")
        _require(large.shape == (2 * height, 2 * width, 3), "an export of another size")
        green = large[..., 1].reshape(height, 2, width, 2).mean(axis=(1, 3))
        _require(np.abs(green - self.photo[..., 1]).mean() < 8, "an export of another photo")
        return RIGHT

    def semantics(self) -> str:
        path, legend = self._ask("/semantics", self.file, ", ".join(LABELS))
        found = _opened(path)
        _require(found.shape == self.photo.shape[:2], "a map of another size")
        _require([one["label"] for one in legend] == list(LABELS), "a map with other labels")
        return RIGHT

    def words(self) -> str:
        mask = self._picture("/mask_from_words", self.file, "car")
        _require(mask.shape == self.photo.shape[:2], "a mask of another size")
        return RIGHT

    def broken(self) -> str:
        """A file that is no picture has to be answered in plain words."""
        kind, text = self._asked("/fill", self.broken_file, self._mask())
        if kind in ("gone", "silence"):
            raise Trouble(FAILED, f"{kind}: {text}")
        _require(kind == "message", f"{kind} for a broken file: {text}")
        return RIGHT

    def cancel(self) -> str:
        """In a session of its own: after a cancel, Gradio's client can lose what its session asks next."""
        client = new_client(self.url, self.file.parent)
        files = handle_file(str(self.file)), handle_file(str(self._mask()))
        job = client.submit(*files, api_name="/fill")
        time.sleep(self.rng.uniform(0, 0.5))
        job.cancel()
        try:
            job.result(timeout=PATIENCE_SECONDS)
        except (CancelledError, ValueError, KeyError):
            pass  # ValueError: the client's own tasks end at the same time; KeyError: Gradio's empty answer
        except QueueError as error:
            raise Trouble(REFUSED, str(error)) from error
        finally:
            client.close()
        return LEFT

    def leave(self) -> str:
        """Ask for a fill, begin to listen, and go away."""
        about = self.client.view_api(print_info=False, return_format="dict")["named_endpoints"]["/fill"]
        values = [one.get("parameter_default") for one in about["parameters"]]
        values[:2] = [self._uploaded(path) for path in (self.file, self._mask())]
        with httpx.stream("GET", self._called("fill", values), timeout=PATIENCE_SECONDS):
            time.sleep(self.rng.uniform(0, 0.5))
        return LEFT

    def reload(self) -> str:
        """Load the page anew while a fill is under way, and fill again."""
        files = handle_file(str(self.file)), handle_file(str(self._mask()))
        self.client.submit(*files, api_name="/fill")
        time.sleep(self.rng.uniform(0, 0.5))
        self.load_page()
        return self.fill()

    def burst(self) -> str:
        """Many at once: each is answered, or told that too many wait. Without Gradio's client, which can lose
        one of several answers."""
        file, events, refusal = self._uploaded(self.file), {}, ""
        for width in range(16, 16 + BURST):
            try:
                events[width] = self._called("view", [file, None, 0, 0, 1, width, 16])
            except Trouble as error:
                refusal = str(error)
        for width, event in events.items():
            text = httpx.get(event, timeout=PATIENCE_SECONDS).text
            if "event: complete" not in text:
                raise Trouble(FAILED, text)
            (made,) = json.loads(text.split("data: ")[-1])
            picture = httpx.get(made["url"], timeout=PATIENCE_SECONDS).content
            _require(Image.open(io.BytesIO(picture)).size == (width, 16), "a view of another size")
        if refusal:
            raise Trouble(REFUSED, refusal)
        return RIGHT

    def _check_fill(self, fill: np.ndarray, mask: Path) -> None:
        _require(fill.shape == self.photo.shape, "a fill of another size")
        known = ~self.holes[mask]
        _require((fill[known] == self.photo[known]).all(), "a fill with other known pixels")

    def _mask(self) -> Path:
        return list(self.holes)[self.rng.integers(len(self.holes))]

    def _picture(self, endpoint: str, *arguments: object) -> np.ndarray:
        return _opened(self._ask(endpoint, *arguments))

    def _ask(self, endpoint: str, *arguments: object) -> Any:
        kind, answer = self._asked(endpoint, *arguments)
        if kind != "answer":
            raise Trouble(FAILED, f"{kind}: {answer}")
        return answer

    def _asked(self, endpoint: str, *arguments: object) -> tuple[str, Any]:
        kind, answer = ask(self.client, endpoint, *arguments, seconds=PATIENCE_SECONDS)
        if kind == "message" and QUEUE_FULL in answer:
            raise Trouble(REFUSED, answer)
        return kind, answer

    def _called(self, name: str, values: list[Any]) -> str:
        """Address of the answer to a call. Raises Trouble where too many wait."""
        call = f"{self.url}gradio_api/call/{name}"
        answer = httpx.post(call, json={"data": values}, timeout=PATIENCE_SECONDS)
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            raise Trouble(REFUSED, answer.json()["detail"])
        return f"{call}/{answer.raise_for_status().json()['event_id']}"

    def _uploaded(self, path: Path) -> dict[str, Any]:
        files = {"files": (path.name, path.read_bytes())}
        answer = httpx.post(f"{self.url}gradio_api/upload", files=files, timeout=PATIENCE_SECONDS)
        return {"path": answer.raise_for_status().json()[0], "meta": {"_type": "gradio.FileData"}}


# Kind of action -> what is done, and how often against the others.
ACTIONS: dict[str, tuple[Callable[[Visitor], str], float]] = {
    "fill": (Visitor.fill, 6),
    "variations": (Visitor.variations, 2),
    "view": (Visitor.view, 4),
    "export": (Visitor.export, 2),
    "semantics": (Visitor.semantics, 2),
    "words": (Visitor.words, 2),
    "broken": (Visitor.broken, 1),
    "cancel": (Visitor.cancel, 1),
    "leave": (Visitor.leave, 1),
    "reload": (Visitor.reload, 1),
    "burst": (Visitor.burst, 0.25),
}


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise Trouble(WRONG, otherwise)


def _opened(path: str) -> np.ndarray:
    """The pixels of a file that came, which goes at once: a long run brings thousands."""
    with Image.open(path) as image:
        pixels = np.asarray(image)
    Path(path).unlink()
    return pixels
