import numpy as np
import pytest
import torch

from sair_core.encoders.semantic import SemanticConfig
from sair_core.errors import FullMaskError, LabelError, UnknownWordError
from sair_core.models.sair import Part, Sair, SairConfig
from sair_core.models.sir import SirConfig
from sair_core.pipeline import InpaintPipeline
from sair_core.semantics.reader import SemanticReader, _bilinear, _name_pixels
from sair_core.semantics.words import EVERYTHING_ELSE, MAX_LABELS
from sair_core.window import Window


class ColourWords(torch.nn.Module):
    """Stands for CLIP: the embedding of a place is its colour around grey; words are colours."""

    embed_dim, stride = 3, 8
    logit_scale = torch.tensor(50.0).log()

    def forward(self, rgb01, hole01=None):
        self.seen = rgb01
        return torch.nn.functional.avg_pool2d(rgb01 - 0.4, 8, ceil_mode=True)


class Colours:
    """Stands for the text side."""

    known = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "crimson": (0.9, 0.1, 0)}

    def embed(self, labels):
        vectors = (
            torch.tensor([self.known.get(w, (0.3, 0.1, 0.9)) for w in labels], dtype=torch.float32) - 0.1
        )
        return torch.nn.functional.normalize(vectors, dim=-1)

    embed_plain = embed

    def has_tokens(self, label):
        return not label.startswith("xyz")


@pytest.fixture
def reader():
    return SemanticReader(ColourWords(), Colours(), device="cpu", bf16=False)


@pytest.fixture
def two_colours():
    photo = np.zeros((64, 96, 3), np.uint8)
    photo[:, :48, 0] = 255
    photo[:, 48:, 2] = 255
    return photo


def test_every_pixel_gets_the_nearest_word(reader, two_colours):
    found = reader.name(reader.read(two_colours), ["blue", "red", "green"])
    assert found.ids.shape == (64, 96) and found.ids.dtype == np.uint8
    assert (found.ids[:, :44] == 1).all() and (found.ids[:, 52:] == 0).all()
    assert found.confidence.dtype == np.float32 and found.confidence[5, 5] > 0.99
    assert 0.3 < found.confidence.min() and found.confidence.max() <= 1
    assert found.embedding.shape == (8, 12, 3) and found.embedding.dtype == np.float16


def test_everything_else_is_what_no_label_means(reader, two_colours):
    found = reader.name(reader.read(two_colours), ["red", EVERYTHING_ELSE])
    assert (found.ids[:, :40] == 0).all()
    alone = reader.name(reader.read(two_colours), [EVERYTHING_ELSE])
    assert (alone.ids == 0).all() and (alone.confidence == 1).all()


def test_words_close_to_a_label_are_no_everything_else(reader, monkeypatch):
    assert len(reader._other_words(["red"])) > 200
    monkeypatch.setattr("sair_core.semantics.reader.scene_words", lambda: ("crimson", "stone"))
    assert reader._other_words(["red"]) == ["stone"] and len(reader._other_words([])) == 2


def test_many_words_are_no_likelier_together_than_the_best_few(reader, two_colours, monkeypatch):
    """Hundreds of words that each fit a little do not take a label's place."""
    embedding = reader.read(two_colours)
    few = reader.name(embedding, ["red", EVERYTHING_ELSE]).confidence[5, 5]
    monkeypatch.setattr(
        "sair_core.semantics.reader.scene_words", lambda: tuple(f"word {i}" for i in range(5000))
    )
    assert reader.name(embedding, ["red", EVERYTHING_ELSE]).confidence[5, 5] == pytest.approx(few, abs=1e-4)


def test_labels_that_are_nowhere_likely_can_be_left_out(reader, two_colours):
    embedding = reader.read(two_colours)
    words = ["red", "crimson", "blue"]
    plain, clean = reader.name(embedding, words), reader.name(embedding, words, denoise=0.5)
    assert plain.confidence[5, 5] < 0.99 < clean.confidence[5, 5] and clean.shares["crimson"] == 0


def test_other_labels_on_the_same_photo_do_not_read_it_again(reader, two_colours, monkeypatch):
    reads = []
    real = reader._read
    monkeypatch.setattr(reader, "_read", lambda *args: reads.append(1) or real(*args))
    hole = np.zeros((64, 96), bool)
    hole[10:20, 10:20] = True
    for rgb, mask in (
        (two_colours, None),
        (two_colours.copy(), None),
        (two_colours, hole),
        (two_colours, None),
    ):
        reader.read(rgb, mask)
    assert len(reads) == 2
    reader.read(two_colours, np.zeros((64, 96), bool))
    assert len(reads) == 2  # an empty mask hides nothing


def test_what_is_remembered_is_bounded(reader, two_colours):
    for i in range(12):
        reader.read(np.full_like(two_colours, i))
    assert len(reader._embeddings) == 8


def test_the_hole_is_never_looked_into(reader, two_colours):
    hole = np.zeros((64, 96), bool)
    hole[16:48, 16:40] = True
    other = two_colours.copy()
    other[hole] = 77
    first, second = (reader.read(photo, hole).vectors for photo in (two_colours, other))
    torch.testing.assert_close(first, second)


def test_large_photos_are_read_reduced_and_named_in_full(reader):
    photo = np.zeros((300, 2100, 3), np.uint8)
    photo[..., 1] = 255
    found = reader.name(reader.read(photo), ["red", "green"])
    assert reader.encoder.seen.shape[-1] == 512 and found.ids.shape == (300, 2100) and (found.ids == 1).all()


def test_naming_in_strips_equals_naming_at_once(monkeypatch):
    logits = torch.randn(5, 7, 9) * 5
    window = Window.whole((50, 61), 1.0)
    whole = _name_pixels(logits, window, (50, 61))
    monkeypatch.setattr("sair_core.semantics.reader.STRIP_VALUES", 1)
    strips = _name_pixels(logits, window, (50, 61))
    np.testing.assert_array_equal(whole[0], strips[0])
    np.testing.assert_allclose(whole[1], strips[1], rtol=1e-5)
    expected = torch.nn.functional.interpolate(logits[None], (50, 61), mode="bilinear")[0].softmax(0)
    np.testing.assert_array_equal(whole[0], expected.argmax(0).numpy())


@pytest.mark.parametrize(("cells", "pixels"), [(4, 16), (16, 16), (1, 5), (9, 4)])
def test_rows_of_the_bilinear_matrix_add_up(cells, pixels):
    weights = _bilinear(cells, (np.arange(pixels) + 0.5) / pixels)
    assert weights.shape == (pixels, cells)
    torch.testing.assert_close(weights.sum(1), torch.ones(pixels))


def test_a_window_of_the_map_is_the_map_at_that_scale(reader, two_colours):
    embedding = reader.read(two_colours)
    whole = reader.name(embedding, ["red", "blue"])
    part = reader.name(embedding, ["red", "blue"], window=Window.box(16, 24, 32, 48, 1.0))
    np.testing.assert_array_equal(part.ids, whole.ids[16:48, 24:72])
    np.testing.assert_allclose(part.confidence, whole.confidence[16:48, 24:72], atol=1e-5)
    large = reader.name(embedding, ["red", "blue"], window=Window.whole((64, 96), 6.5))
    assert large.ids.shape == (416, 624)
    centres = large.ids[3::13, 3::13]  # of every other pixel of the photo
    assert (centres == whole.ids[::2, ::2]).mean() > 0.98


def test_the_pipelines_contract(tiny_pipe, reader, two_colours, monkeypatch):
    monkeypatch.setattr(tiny_pipe, "_reader", reader)
    found = tiny_pipe.semantics(two_colours, "red, blue")
    assert found.labels == ("red", "blue") and found.ids.shape == found.confidence.shape == (64, 96)
    mask = tiny_pipe.mask_from_words(two_colours, "red")
    assert mask.mode == "L" and mask.size == (96, 64)
    array = np.asarray(mask)
    assert (array[:, :40] == 255).all() and (array[:, 60:] == 0).all()
    many = ["red", *(f"word {i}" for i in range(MAX_LABELS - 1))]
    assert np.asarray(tiny_pipe.mask_from_words(two_colours, many)).any()
    for words in ("", EVERYTHING_ELSE):
        with pytest.raises(LabelError):
            tiny_pipe.mask_from_words(two_colours, words)
    with pytest.raises(FullMaskError):
        tiny_pipe.semantics(two_colours, "red", np.ones((64, 96), bool))


def test_a_model_without_semantics_is_read_with_the_bundled_encoder(tiny_pipe, tiny_clip_folder, monkeypatch):
    config = SemanticConfig(str(tiny_clip_folder), upsample=2.0, context_scale=0.4, keep_text=True)
    monkeypatch.setattr("sair_core.semantics.reader.BUNDLED_CONFIG", config)
    monkeypatch.setattr(tiny_pipe, "_reader", None)
    found = tiny_pipe.semantics(np.random.default_rng(0).integers(0, 255, (70, 90, 3), np.uint8), "sky, car")
    assert found.ids.shape == (70, 90) and found.embedding.shape == (5, 6, 16)
    monkeypatch.setattr(tiny_pipe, "_reader", None)


def test_any_open_clip_folder_can_be_the_encoder(tiny_clip_folder):
    config = SemanticConfig(str(tiny_clip_folder), upsample=1.0, keep_text=True)
    reader = SemanticReader.from_pretrained(config, device="cpu", bf16=False)
    found = reader.name(reader.read(np.zeros((64, 64, 3), np.uint8)), ["a", "b"])
    assert found.embedding.shape == (2, 2, 16)


@pytest.fixture(scope="module")
def wordy_pipe(tiny_clip_folder):
    """An untrained model with semantics."""
    unet = {"widths": [8, 8, 8, 8], "blocks": [1, 1, 1], "context_blocks": 1, "heads": 2, "out_channels": 8}
    torch.manual_seed(0)
    config = SairConfig(
        Part("unet", unet),
        Part("liif", {"hidden": 16}),
        semantic=SemanticConfig(str(tiny_clip_folder), upsample=2.0, keep_text=True),
        sir=SirConfig(hidden=16, context_blocks=1, context_width=16, heads=2),
        initial_fill="pull_push",
    )
    return InpaintPipeline(Sair(config), device="cpu", bf16=False, texture=False)


def test_words_change_the_hole_and_nothing_else(wordy_pipe, bird):
    photo = np.asarray(bird.resize((96, 80)))
    hole = np.zeros((80, 96), bool)
    hole[20:60, 30:70] = True

    def fill(**options):
        return np.asarray(wordy_pipe.fill(photo, hole, **options).image)

    plain, grass, sky = fill(), fill(words="grass"), fill(words="sky")
    assert (grass[~hole] == photo[~hole]).all()
    assert (grass[hole] != sky[hole]).any() and (grass[hole] != plain[hole]).any()
    np.testing.assert_array_equal(fill(words="grass", strength=0.0), plain)
    np.testing.assert_array_equal(fill(words="grass"), grass)


def test_words_that_cannot_be_used_are_refused(wordy_pipe, tiny_pipe, two_colours):
    hole = np.zeros((64, 96), bool)
    hole[20:40, 20:40] = True
    with pytest.raises(LabelError, match="fills by colour alone"):
        tiny_pipe.fill(two_colours, hole, words="grass")
    with pytest.raises(LabelError, match="No label"):
        wordy_pipe.fill(two_colours, hole, words=" ")
    with pytest.raises(LabelError, match="between 0 and 1"):
        wordy_pipe.fill(two_colours, hole, words="grass", strength=1.5)


def test_a_models_sir_says_what_the_hole_hides(wordy_pipe, bird):
    hole = np.zeros((384, 384), bool)
    hole[100:300, 100:300] = True
    completed = wordy_pipe.semantics(bird, "sky, bird", hole)
    plain = wordy_pipe.semantics(bird, "sky, bird", hole, complete=False)
    assert completed.embedding.shape == (96, 96, 16) and plain.embedding.shape == (24, 24, 16)

    # What is in view is what the encoder sees; the hole is what the model completes.
    near = np.zeros((96, 96), bool)
    near[20:80, 20:80] = True
    tokens = torch.from_numpy(plain.embedding.astype(np.float32)).permute(2, 0, 1)[None]
    seen = torch.nn.functional.interpolate(tokens, (96, 96), mode="bilinear")[0].permute(1, 2, 0).numpy()
    cosine = (completed.embedding * seen).sum(-1) / np.linalg.norm(seen, axis=-1)
    assert cosine[~near].min() > 0.99 and cosine[30:70, 30:70].mean() < 0.9
    whole = wordy_pipe.semantics(bird, "sky, bird")
    assert whole.embedding.shape == (24, 24, 16)


def test_a_model_without_sir_claims_no_completion(tiny_clip_folder):
    semantic = SemanticConfig(str(tiny_clip_folder), upsample=2.0, keep_text=True)
    config = SairConfig(Part("table4"), Part("liif", {"hidden": 16}), "unfilled", semantic)
    assert InpaintPipeline(Sair(config), device="cpu").reader.model is None


def test_completing_looks_at_the_photo_once(wordy_pipe, bird, monkeypatch):
    looks = []
    forward = wordy_pipe.reader.encoder.forward
    monkeypatch.setattr(wordy_pipe.reader.encoder, "forward", lambda *a: looks.append(1) or forward(*a))
    hole = np.zeros((bird.height, bird.width), bool)
    hole[40:90, 50:120] = True
    photo = np.asarray(bird)
    completed = wordy_pipe.reader.read(photo, hole).vectors
    assert looks == [1]
    seen = wordy_pipe.reader.read(photo, hole, complete=False).vectors
    size = completed.shape[-2:]
    seen = torch.nn.functional.interpolate(seen[None], size, mode="bilinear", align_corners=False)[0]
    far = torch.nn.functional.normalize(seen, dim=0)[:, -20:] - completed[:, -20:]  # below the hole
    assert far.abs().max() < 0.02


def test_a_word_far_from_everything_is_refused_and_nothing_is_selected(reader, two_colours, monkeypatch):
    things = (lambda: ("green", "stone"), lambda: ("blue",))
    monkeypatch.setattr("sair_core.semantics.reader.THINGS", things)
    monkeypatch.setitem(Colours.known, "xyzzy", (0.0, 1.0, -0.9))
    monkeypatch.setattr("sair_core.semantics.reader.KNOWN", 0.9)
    embedding = reader.read(two_colours)
    for refused in (
        lambda: reader.require_known(["red", "xyzzy"]),
        lambda: reader.name(embedding, ["red", "xyzzy", EVERYTHING_ELSE]),
        lambda: reader.find(two_colours, ["xyzzy"]),
    ):
        with pytest.raises(UnknownWordError, match="'xyzzy'.*Type a plain word"):
            refused()
    reader.require_known(["red", "blue", EVERYTHING_ELSE])


def test_letters_that_are_near_a_thing_are_known(reader, monkeypatch):
    monkeypatch.setattr("sair_core.semantics.reader.THINGS", (lambda: ("green",), lambda: ("red",)))
    monkeypatch.setitem(Colours.known, "xyzred", (0.9, 0.1, 0.0))
    reader.require_known(["xyzred"])
