"""The image tower learns to put each pixel near the words for it."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from sair_core.checkpoint import replacing
from sair_core.config import to_dict
from sair_core.devices import autocast, keep_freed_memory, pick_device
from sair_core.encoders.dense_clip import DenseClip
from sair_core.encoders.semantic import CONFIG_FILE, SemanticConfig, build_semantic_encoder
from sair_core.encoders.text import embed_labels, find_tokenizer
from sair_core.errors import ConfigError
from sair_core.evaluation.segmentation import Confusion
from sair_core.folders import VOID, Classes, read_classes
from sair_core.training.align.config import AlignConfig
from sair_core.training.align.data import (
    AlignSamples,
    class_weights,
    load_labelled,
    load_named,
)
from sair_core.training.align.words import MiniLm, teach_text
from sair_core.training.data import TrainPhoto, batches, split
from sair_core.training.loop import Batch, begin_folder, optimise, run, write_configuration
from sair_core.training.state import Average, parameter_groups
from sair_core.words import vocabulary

logger = logging.getLogger(__name__)

WEIGHTS_FILE = "open_clip_model.safetensors"
WORDS_FILE = "words.json"
SIMILAR = 0.35  # words nearer than this (cosine) are related: not held against each other
NAME_SHARE = 0.7  # how often a class goes by its name; else by one of its synonyms
SHOWN_SHARE = 0.15  # of a photo known by a word only: this much of it, at least, is taken to show it


def align(config: AlignConfig, *, resume: bool = False, show_progress: bool = True) -> Path:
    """Train a text-aligned dense encoder; returns the folder of the open_clip model, `OUTPUT/model`.

    First the text tower is taught words by a sentence encoder, then the image tower is trained against it.
    The run folder holds what `loop.run` promises, `words.json` (how well the words were learned) and
    `model/` (an open_clip config and its weights in half precision).

    Raises DataError, MissingDependencyError (no sentence encoder), ConfigError, CheckpointError.
    """
    keep_freed_memory()
    folder = begin_folder(config.output, resume)
    write_configuration(folder, align=to_dict(config), model=model_config(config))
    task = AlignTask(config, folder, resume)
    run(task, config, folder, resume=resume, show_progress=show_progress)
    return folder / "model"


def model_config(config: AlignConfig) -> dict[str, Any]:
    """The open_clip configuration of what is trained."""
    return {
        "model_cfg": {
            "embed_dim": config.embed_dim,
            "vision_cfg": {
                "timm_model_name": config.trunk,
                "timm_model_pretrained": False,
                "timm_pool": "avg",
                "timm_proj": "linear",
                "image_size": config.size_px,
            },
            "text_cfg": {
                "context_length": config.context_length,
                "vocab_size": 49408,
                "width": config.text_width,
                "heads": max(1, config.text_width // 32),
                "layers": config.text_layers,
            },
        },
        "preprocess_cfg": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
    }


class Aligned(nn.Module):
    """A dense encoder with a temperature that is learned; the text tower stands beside it, frozen."""

    def __init__(self, encoder: DenseClip):
        super().__init__()
        self.encoder = encoder
        self.log_scale = nn.Parameter(torch.tensor(20.0).log())

    def own_state(self) -> dict[str, Tensor]:
        """Everything but the text tower, which no longer changes."""
        return {k: v for k, v in self.state_dict().items() if not k.startswith("encoder.text.")}

    def load_own_state(self, state: dict[str, Tensor], where: str) -> None:
        """Load what `own_state` gave. Raises ConfigError when it belongs to another model."""
        if state.keys() != self.own_state().keys():
            raise ConfigError(f"{where} belongs to another trunk. Resume with the run's own configuration.")
        self.load_state_dict(state, strict=False)

    def forward(self, rgb01: Tensor) -> Tensor:
        """Unit vectors `(B, D, h, w)`, float32."""
        return F.normalize(self.encoder(rgb01).float(), dim=1)

    def scale(self) -> Tensor:
        """Temperature's inverse, at most 100 as in CLIP."""
        return self.log_scale.exp().clamp(max=100)


class AlignTask:
    """Cross-entropy over cosine logits: pixels against class words, whole photos against their word."""

    def __init__(self, config: AlignConfig, folder: Path, resume: bool):
        """folder: the run's; `model/` in it gets the text tower at once."""
        self.config = config
        self.device = pick_device(config.device)
        self.classes = read_classes(config.labelled[0])
        photos = load_labelled(config.labelled, self.classes)
        self.photos, held = split(photos, config.val_share, config.seed)
        self.named = load_named(config.named)
        logger.info(
            "%d photos with labels, %d held back, %d with a name",
            len(self.photos),
            len(held),
            len(self.named),
        )
        clip, tokenizer = _clip_with_words(config, folder, self.classes, resume)
        torch.manual_seed(config.seed)
        self.model = Aligned(clip).to(self.device, memory_format=torch.channels_last)
        self.words = Words(self.classes, [p.word for p in self.named], clip.text, tokenizer)
        self.validation = Validation(held, self.words.names, config)
        self.weights = class_weights(self.photos, len(self.classes.names)).to(self.device)
        self.optimiser = torch.optim.AdamW(
            parameter_groups(self.model, config.weight_decay),
            lr=config.learning_rate,
            fused=self.device.type != "mps",
        )
        self.average = Average(self.model, config.ema)

    def loader(self, phase: int, first_sample: int) -> Iterator[tuple[int, Batch]]:
        config = self.config
        samples = AlignSamples(
            self.photos,
            self.named,
            self.words.others,
            len(self.classes.names),
            size_px=config.size_px,
            enlarge=config.enlarge,
            batch=config.batch,
            named_batch=config.named_batch,
            seed=config.seed,
        )
        return batches(samples, config.batch + samples.named_batch, first_sample, config.workers)

    def step(self, batch: Batch, first_sample: int) -> float:
        self.model.train()
        with autocast(self.device, self.config.bf16):
            found = self.model(batch["rgb01"].contiguous(memory_format=torch.channels_last))
        scale = self.model.scale()
        # By sample number, so that a resumed run draws what it would have drawn.
        rng = np.random.default_rng([self.config.seed, 8, first_sample])
        names = self.words.draw_names(rng).to(self.device)
        count = min(self.config.distractors, len(self.words.others))
        others = rng.choice(len(self.words.others), count, replace=False)
        others = torch.from_numpy(others)
        distractors = self.words.embedded_others[others].to(self.device)
        related = self.words.related[:, others].to(self.device)
        loss = pixel_loss(found, batch["ids"], names, distractors, related, scale, self.weights)
        shown = batch["word"] >= 0
        if shown.any() and self.config.named_weight:
            word = self.words.embedded_others.to(self.device)[batch["word"][shown]]
            loss = loss + self.config.named_weight * photo_loss(
                found[shown], word, torch.cat([names, distractors]), scale
            )
        return optimise(self.model, self.optimiser, loss, self.config.clip_norm)

    def validate(self) -> tuple[dict[str, float], Image.Image]:
        self.model.eval()
        return self.validation(self.model, self.device)

    def export(self, folder: Path) -> None:
        clip = self.model.encoder
        averaged = self.average.state
        state = {
            k.removeprefix("encoder."): v for k, v in averaged.items() if k.startswith("encoder.visual.")
        }
        state.update(clip.text.state_dict())
        state["logit_scale"] = averaged["log_scale"].clamp(max=float(np.log(100)))
        _save_clip(folder / "model", model_config(self.config), state)


class Words:
    """Embeddings of the classes' names and synonyms, and of other words, from the frozen text tower."""

    def __init__(self, classes: Classes, named: Sequence[str], text: nn.Module, tokenizer: Any):
        """named: words that photos go by."""
        self.variants = [(name, *synonyms) for name, synonyms in zip(classes.names, classes.synonyms)]
        self.others = tuple(dict.fromkeys([*named, *vocabulary("ade20k"), *vocabulary("coco")]))
        flat = [word.lower() for variants in self.variants for word in variants]
        embedded = embed_labels(text, tokenizer, flat).cpu().clone()
        self.embedded = list(embedded.split([len(v) for v in self.variants]))
        self.names = torch.stack([e[0] for e in self.embedded])
        self.embedded_others = embed_labels(text, tokenizer, self.others).cpu().clone()
        # (classes, others): whether any word for the class is related to the other word.
        self.related = torch.stack(
            [(e @ self.embedded_others.T).amax(dim=0) > SIMILAR for e in self.embedded]
        )

    def draw_names(self, rng: np.random.Generator) -> Tensor:
        """One word for each class, `(classes, D)`: its name, or now and then a synonym."""
        return torch.stack(
            [e[0 if rng.random() < NAME_SHARE else rng.integers(len(e))] for e in self.embedded]
        )


def pixel_loss(
    found: Tensor,
    ids: Tensor,
    names: Tensor,
    distractors: Tensor,
    related: Tensor,
    scale: Tensor,
    weights: Tensor,
) -> Tensor:
    """Weighted cross-entropy of labelled pixels.

    found `(B, D, h, w)` unit; ids `(B, H, W)`, 255 = void; names `(C, D)` and distractors `(K, D)` unit;
    related bool `(C, K)`: distractors that are not held against a class; weights `(C,)`. Cosines are sampled
    bilinearly at the pixels.
    """
    known = ids != VOID
    if not known.any():
        return found.sum() * 0
    words = torch.cat([names, distractors])
    cosines = F.interpolate(
        torch.einsum("bdhw,nd->bnhw", found, words), ids.shape[-2:], mode="bilinear", align_corners=False
    )
    logits = scale * cosines.permute(0, 2, 3, 1)[known]  # (pixels, C + K)
    target = ids[known]
    left_out = F.pad(related, (len(names), 0))  # (C, C + K)
    logits = logits.masked_fill(left_out[target], -1e4)
    return F.cross_entropy(logits, target, weight=F.pad(weights, (0, len(distractors)), value=1.0))


def photo_loss(found: Tensor, word: Tensor, against: Tensor, scale: Tensor) -> Tensor:
    """Cross-entropy of photos that show a word somewhere: asked where they are nearest to it.

    found `(B, D, h, w)` unit, word `(B, D)` and against `(K, D)` unit.
    """
    tokens = found.flatten(2).transpose(1, 2)  # (B, h w, D)
    count = max(1, round(SHOWN_SHARE * tokens.shape[1]))
    own = torch.einsum("bnd,bd->bn", tokens, word)
    nearest = own.topk(count, dim=1)
    chosen = tokens.gather(1, nearest.indices.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]))
    other = (chosen @ against.T).masked_fill((word @ against.T > SIMILAR).unsqueeze(1), -1e4)
    logits = scale * torch.cat([nearest.values.unsqueeze(-1), other], dim=-1)
    return F.cross_entropy(logits.flatten(0, 1), logits.new_zeros(logits[..., 0].numel(), dtype=torch.long))


class Validation:
    """Held-back photos, whole, enlarged twice as in use: pixel accuracy and mean IoU."""

    def __init__(self, photos: list[TrainPhoto], names: Tensor, config: AlignConfig):
        self.photos, self.names, self.bf16 = photos[:96], names, config.bf16

    @torch.inference_mode()
    def __call__(self, model: Aligned, device: torch.device) -> tuple[dict[str, float], Image.Image]:
        """Figures in [0, 1] and a picture: photo, what was found, what is true, for eight photos."""
        names = self.names.to(device)
        confusion = Confusion(len(names))
        shown = []
        for photo in self.photos:
            rgb01 = torch.from_numpy(photo.rgb.copy()).to(device).permute(2, 0, 1)[None].float() / 255
            large = F.interpolate(rgb01, scale_factor=2, mode="bilinear", align_corners=False)
            with autocast(device, self.bf16):
                found = model(large)
            cosines = torch.einsum("bdhw,nd->bnhw", found, names)
            ids = F.interpolate(cosines, photo.ids.shape, mode="bilinear").argmax(dim=1)[0].cpu().numpy()
            confusion.add(ids, photo.ids)
            if len(shown) < 8:
                shown.append((photo.rgb, ids, photo.ids))
        return {"accuracy": confusion.accuracy(), "miou": confusion.mean_iou()}, _picture(shown)


def _picture(shown: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Image.Image:
    colours = np.random.default_rng(0).integers(40, 256, (256, 3), dtype=np.uint8)
    colours[VOID] = 0
    tiles = [
        np.concatenate([_square(rgb), _square(colours[found]), _square(colours[true])])
        for rgb, found, true in shown
    ]
    return Image.fromarray(np.concatenate(tiles, axis=1))


def _square(rgb: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(rgb.astype(np.uint8)).resize((160, 160), Image.Resampling.NEAREST))


def _clip_with_words(
    config: AlignConfig, folder: Path, classes: Classes, resume: bool
) -> tuple[DenseClip, Any]:
    """The model to train, its text tower taught: now, in an earlier sitting, or in the model begun with."""
    model_folder = folder / "model"
    if config.start and not resume:
        _copy_clip(Path(config.start), model_folder)
    elif not resume:
        import open_clip

        torch.manual_seed(config.seed)
        parts = model_config(config)["model_cfg"]
        clip = open_clip.CLIP(**parts)
        _save_clip(model_folder, model_config(config), clip.state_dict())
        semantic = SemanticConfig(str(model_folder), keep_text=True)
        class_words = [w for n, s in zip(classes.names, classes.synonyms) for w in (n, *s)]
        figures = teach_text(clip, find_tokenizer(semantic), MiniLm(), class_words, config)
        (folder / WORDS_FILE).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        _save_clip(model_folder, model_config(config), clip.state_dict())
    semantic = SemanticConfig(str(model_folder), trainable=True, keep_text=True)
    return build_semantic_encoder(semantic), find_tokenizer(semantic)


def _copy_clip(source: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        shutil.copy2(source / name, folder / name)


def _save_clip(folder: Path, config: dict[str, Any], state: dict[str, Tensor]) -> None:
    """An open_clip folder in half precision, each file replaced in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    half = {
        k: (v.half() if v.is_floating_point() else v).detach().cpu().contiguous() for k, v in state.items()
    }
    with replacing(folder / WEIGHTS_FILE) as path:
        save_file(half, path, metadata={"format": "pt"})
    with replacing(folder / CONFIG_FILE) as path:
        path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
