"""Requests to an app's endpoints whose JSON is odd, at random and yet the same each time.

Each begins as a sound request of an endpoint, as the app itself describes it; then values are exchanged for
others of any type, size and depth, left out or added, or the body is no such list at all.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
from PIL import Image

LIMIT_SECONDS = 60.0  # a model is loaded when it is first asked for
Json = Any
ODD: tuple[Json, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**400, -1e308, 1e-320, 0.5, "", " ", "0", "sky, car", "\0",
    "\ud800", "<b>x</b>", "../../etc/passwd", "/etc/passwd", "file:///etc/passwd", "http://127.0.0.1/x.png",
    "data:image/png;base64,AAAA", "x" * 100_000, ", " * 10_000, [], [[]], [None], [1, 2], [[1, 2]],
    [[1e400, 2]], [["a", "b"]], [[1, 2, 3]], {}, {"path": "/etc/passwd"}, {"path": None}, {"url": "http://127.0.0.1/x.png"},
    {"meta": {"_type": "gradio.FileData"}}, {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}},
    {"path": "nowhere.png", "meta": {"_type": "gradio.FileData"}, "orig_name": "a/b.png", "size": -1},
    {"__type__": "update", "value": 1}, {"data": [1]}, list(range(20_000)),
)  # fmt: skip
WHOLE: tuple[Json, ...] = (
    None,
    1,
    "data",
    [],
    {},
    {"data": None},
    {"data": 1},
    {"data": {}},
    {"data": "photo"},
)


@dataclass(frozen=True)
class Body:
    """A request: the endpoint, and the bytes that are sent to it."""

    endpoint: str
    data: bytes


def odd_body(seed: int, index: int, endpoints: Mapping[str, Sequence[Json]]) -> Body:
    """Return request `index` of a seed. endpoints: a sound list of values for each. They take turns."""
    rng = np.random.default_rng([seed, index, 4])
    name = sorted(endpoints)[index % len(endpoints)]
    values = list(endpoints[name])
    if rng.random() < 0.05:
        whole = WHOLE[int(rng.integers(0, len(WHOLE)))]
        return Body(name, json.dumps(whole).encode())
    for _ in range(int(rng.integers(1, 4))):
        place = int(rng.integers(0, len(values) + 1))
        kind = rng.random()
        if kind < 0.1 and place < len(values):
            del values[place]
        elif kind < 0.2:
            values.insert(place, _odd(rng))
        elif place < len(values):
            values[place] = _odd(rng)
    body: Json = {"data": values}
    if rng.random() < 0.1:
        body |= {"session_hash": _odd(rng), "fn_index": _odd(rng)}
    text = json.dumps(body)
    if rng.random() < 0.02:
        text = text[: int(rng.integers(0, len(text)))]
    return Body(name, text.encode())


def _odd(rng: np.random.Generator) -> Json:
    value = ODD[int(rng.integers(0, len(ODD)))]
    for _ in range(int(rng.choice([0, 0, 0, 0, 1, 3, 200]))):
        value = [value] if rng.random() < 0.5 else {"x": value}
    return value


def connect(url: str) -> httpx.Client:
    """Return a client for the addresses of an app's endpoints."""
    return httpx.Client(base_url=f"{url}gradio_api/", timeout=LIMIT_SECONDS, trust_env=False)


def sound_values(client: httpx.Client) -> dict[str, list[Json]]:
    """Return values that each endpoint of an app takes: small pictures for files, else what the app says."""
    photo, source = (_upload_half(client, left=left) for left in (20, 0))
    known = {"Textbox": "sky", "Json": [[2, 2]], "Number": 1, "Slider": 1, "File": photo}
    # The mask is white on the right, so texture comes from the left. A point has one label.
    special = {("source", "File"): source, ("labels", "Json"): [True]}

    def value_of(parameter: Json) -> Json:
        name, component = parameter["parameter_name"], parameter["component"]
        return special.get((name, component)) or parameter.get("parameter_default") or known[component]

    endpoints = client.get("info").raise_for_status().json()["named_endpoints"]
    return {name: [value_of(one) for one in endpoint["parameters"]] for name, endpoint in endpoints.items()}


def _upload_half(client: httpx.Client, *, left: int) -> Json:
    """Send a picture, of a photo and of a mask: half of it white, from a column on. Return it as a value."""
    picture, written = Image.new("L", (40, 24)), io.BytesIO()
    picture.paste(255, (left, 0, left + 20, 24))
    picture.save(written, "PNG")
    answer = client.post("upload", files={"files": ("photo.png", written.getvalue())})
    return {"path": answer.raise_for_status().json()[0], "meta": {"_type": "gradio.FileData"}}


def send_body(client: httpx.Client, body: Body) -> tuple[str, str]:
    """Send a request and wait for its answer. What came back, and what was said: "answer", "message" (a
    refusal in plain words), "error" (any other), "silence" (nothing in time) or "gone" (nobody is there)."""
    try:
        headers = {"Content-Type": "application/json"}
        asked = client.post(f"call{body.endpoint}", content=body.data, headers=headers)
        if asked.status_code != 200:
            return ("error" if asked.status_code >= 500 else "message"), f"{asked.status_code} {asked.text}"
        answer = client.get(f"call{body.endpoint}/{asked.json()['event_id']}").text
    except httpx.TimeoutException as error:
        return "silence", f"{error}"
    except (httpx.HTTPError, OSError) as error:
        return "gone", f"{type(error).__name__}: {error}"
    *_, event, data = [line for line in answer.splitlines() if line]
    if event == "event: complete":
        return "answer", ""
    text = data.removeprefix("data: ")
    return ("error" if text == "null" else "message"), text
