import numpy as np
import pytest
import torch

import sair_core.pipeline
from sair_core.coords import cell_of, grid_coords
from sair_core.errors import ConfigError
from sair_core.evaluation.baselines import mean
from sair_core.evaluation.external import FinishedFills
from sair_core.evaluation.methods import MODEL_ROWS, ModelMethod, build_methods
from sair_core.holes import to_hole01, to_rgb01
from sair_core.photos.photo import load_photo
from tests.evaluation.conftest import pattern

MODELS = {"sair": "a", "spn": "b"}


@pytest.fixture
def loaded(monkeypatch, tiny_pipe):
    """Every model is the untrained one; what was asked for is recorded."""
    asked = []

    class Loader(sair_core.pipeline.InpaintPipeline):
        @classmethod
        def from_pretrained(cls, name, **options):
            asked.append((name, options))
            return cls(tiny_pipe.model, **options)

    monkeypatch.setattr(sair_core.pipeline, "InpaintPipeline", Loader)
    return asked


def test_rows_come_in_the_order_asked_for(loaded, tmp_path):
    given = {"mean": lambda photo, mask: photo}
    methods = build_methods(
        ["spn", "mean", "harmonic", "sair-raw"],
        MODELS,
        external=[f"lama={tmp_path}"],
        given=given,
        device="cpu",
    )
    assert list(methods) == ["spn", "mean", "harmonic", "sair-raw", "lama"]
    assert methods["mean"] is given["mean"] and methods["lama"] == FinishedFills(tmp_path)
    raw = {"device": "cpu", "remove_seams": False, "texture": False}
    assert loaded == [("b", {"device": "cpu"}), ("a", raw)]


def test_texture_is_guided_by_either_model(loaded):
    build_methods(["natural", "natural-painted"], MODELS, device="cpu")
    assert loaded == [("a", {"device": "cpu"}), ("b", {"device": "cpu", "texture": True})]


def test_a_raw_row_is_what_the_model_alone_says(loaded, tiny_pipe):
    photo, mask = pattern(1), np.zeros((60, 72), bool)
    mask[20:40, 20:40] = True
    rows = build_methods(["sair", "sair-raw"], MODELS, device="cpu")
    plain, raw = (fill(photo, mask) for fill in rows.values())
    assert np.array_equal(plain, tiny_pipe.fill(load_photo(photo), mask).photo.rgb)
    assert np.array_equal(raw[~mask], photo[~mask]) and not np.array_equal(raw, plain)


def test_an_engine_of_others_is_a_row(lama_file):
    photo, mask = pattern(1), np.zeros((60, 72), bool)
    mask[20:40, 20:40] = True
    models = {**MODELS, "engine": str(lama_file)}
    rows = build_methods(["engine", "engine-natural"], models, device="cpu")
    alone, textured = (fill(photo, mask) for fill in rows.values())
    assert np.array_equal(alone[~mask], photo[~mask]) and not np.array_equal(alone, textured)


def test_options_of_a_row_reach_the_fill(loaded, monkeypatch):
    told = {}
    fill = sair_core.pipeline.InpaintPipeline.fill

    def listening(self, photo, mask, **options):
        told.update(options)
        return fill(self, photo, mask, seed=options["seed"])

    monkeypatch.setattr(sair_core.pipeline.InpaintPipeline, "fill", listening)
    row = MODEL_ROWS["sair"].__class__("sair", fill={"strength": 0.5})
    ModelMethod("a", row, "cpu")(pattern(0), np.eye(60, 72, dtype=bool))
    assert told == {"seed": 0, "strength": 0.5}


def test_what_cannot_be_is_refused(tmp_path, loaded):
    for names, external, message in (
        (["magic"], (), "--methods must be some of sair, .*patchmatch.* got 'magic'"),
        (["mean"], [f"mean={tmp_path}"], "two methods called 'mean'"),
        (["mean"], [f"a={tmp_path}", f"a={tmp_path}"], "two methods called 'a'"),
    ):
        with pytest.raises(ConfigError, match=message):
            build_methods(names, MODELS, external=external)
    with pytest.raises(ConfigError, match="--methods engine needs --engine"):
        build_methods(["engine"], {**MODELS, "engine": None})
    with pytest.raises(ConfigError, match="needs a model that draws"):
        build_methods(["sair"], MODELS, device="cpu", samples=3)  # a SAIR does not
    assert build_methods(["mean"], MODELS)["mean"] is mean


def test_a_model_that_restores_says_known_pixels_too_and_at_any_size(loaded, tiny_pipe):
    photo, mask = pattern(1), np.zeros((60, 72), bool)
    mask[20:40, 20:40] = True
    method = build_methods(["sair-restore"], MODELS, device="cpu", samples=1)["sair-restore"]
    restored = method(photo, mask)
    assert restored.shape == photo.shape and not np.array_equal(restored[~mask], photo[~mask])
    with torch.inference_mode():
        features = tiny_pipe.model.encode(to_rgb01(photo), to_hole01(mask))
        at = grid_coords((60, 72)).flatten(0, 1)[None]
        said = tiny_pipe.model.decode(features, at, cell_of((60, 72))[None])[0].reshape(60, 72, 3)
    assert np.abs(restored - 255 * said.clamp(0, 1).numpy()).max() < 1
    assert method(photo, mask, size_px=(120, 144)).shape == (120, 144, 3)


def test_only_a_sair_restores(monkeypatch):
    class Loader:
        model, device, bf16, draws = object(), torch.device("cpu"), False, False

        @classmethod
        def from_pretrained(cls, name, **options):
            return cls()

    monkeypatch.setattr(sair_core.pipeline, "InpaintPipeline", Loader)
    method = build_methods(["sair-restore"], MODELS, device="cpu")["sair-restore"]
    with pytest.raises(ConfigError, match="sair-restore needs a SAIR"):
        method(pattern(1), np.zeros((60, 72), bool))
