"""The task of the text-aligned encoder: the image tower learns to put each pixel near the words for it."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file
from timm.models import get_pretrained_cfg
from torch import Tensor

from sair_core.config import to_dict
from sair_core.encoders.dense_clip import DenseClip
from sair_core.encoders.imagenet import load_classifier
from sair_core.encoders.open_clip_models import CONFIG_FILE
from sair_core.encoders.semantic import SemanticConfig, build_semantic_encoder
from sair_core.encoders.text import Tokenizer, embed_labels, find_tokenizer
from sair_core.errors import CheckpointError, ConfigError
from sair_core.files import replacing
from sair_core.photos.folders import Classes, read_classes, spread
from sair_core.semantics.words import imagenet_words
from sair_core.training.align.config import AlignConfig
from sair_core.training.align.data import (
    AlignSamples,
    NamedPhoto,
    class_weights,
    collate,
    load_labelled,
    load_named,
)
from sair_core.training.align.imagenet import ImageNetTeacher, fit_projection, meet_names
from sair_core.training.align.loss import SCALE, AlignedEncoder, AlignLoss, WordEmbeddings
from sair_core.training.align.validation import Validation
from sair_core.training.align.words import MiniLm, move_names, teach_text
from sair_core.training.average import Average
from sair_core.training.backend import Backend
from sair_core.training.data.loader import Batch, Batches, load_batches
from sair_core.training.data.photos import split
from sair_core.training.optimisers import Learner

if TYPE_CHECKING:
    from open_clip import CLIP

logger = logging.getLogger(__name__)

MEASURED = 1200  # photos by which the features of the classifier are measured
WEIGHTS_FILE = "open_clip_model.safetensors"
WORDS_FILE = "words.json"
BEGUN_FILE = "begun.safetensors"


def model_config(config: AlignConfig) -> dict[str, Any]:
    """Return the open_clip configuration of what is trained. Raises ConfigError for an unknown trunk."""
    trunk_cfg = get_pretrained_cfg(config.trunk)
    if trunk_cfg is None:
        raise ConfigError(f"timm has no network {config.trunk!r}. Choose one of timm.list_models().")
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
        "preprocess_cfg": {"mean": list(trunk_cfg.mean), "std": list(trunk_cfg.std)},
    }


class AlignTask:
    """Training of a text-aligned dense encoder, an open_clip model.

    First the text tower is taught words by a sentence encoder, when the task is made; then the image tower is
    trained against it. The run folder gets `words.json` (how well the words were learned), `model/` (an
    open_clip configuration and weights in half precision) and `begun.safetensors` (the image tower before its
    first step, of which the model keeps a share: Wortsman et al., Robust fine-tuning of zero-shot models,
    CVPR 2022, equation 1).
    """

    def __init__(self, config: AlignConfig, backend: Backend, resume: bool = False):
        """resume: `model/` holds the text tower already.

        Raises DataError, ConfigError, and MissingDependencyError when there is no sentence encoder.
        """
        self.config, self.backend = config, backend
        self.classes = read_classes(config.labelled[0])
        photos = load_labelled(config.labelled, self.classes)
        self.photos, held = split(photos, config.val_share, config.seed)
        self.named = load_named(config.named, all_photos=config.imagenet)
        shown: list[NamedPhoto] = []
        if len(self.named) > 1:
            self.named, shown = split(self.named, config.val_share, config.seed)
        logger.info(
            "%d photos with labels, %d held back, %d without",
            len(self.photos),
            len(held),
            len(self.named),
        )
        teacher = None
        if config.imagenet:
            some = [
                (self.named or self.photos)[i].rgb for i in spread(len(self.named or self.photos), MEASURED)
            ]
            teacher = ImageNetTeacher(load_classifier(config.trunk), some)
        clip, tokenizer = _build_clip(config, self.classes, teacher, resume)
        if teacher is not None:
            backend.place(teacher)
        torch.manual_seed(config.seed)
        frozen_stages = config.frozen_stages if config.imagenet else None
        self.model = backend.place(AlignedEncoder(clip, frozen_stages=frozen_stages))
        assert clip.text is not None  # it was built with `keep_text`
        self.text = clip.text
        named = [photo.word for photo in self.named if photo.word is not None]
        self.words = WordEmbeddings(self.classes, named, self.text, tokenizer)
        if teacher is not None and not (resume or config.start):
            names = self.words.imagenet.to(backend.device)
            fit_projection(self.model.head, teacher, names, SCALE, config.seed)
        self.begun = self._load_begun(resume)
        self.validation = Validation(held, self.words.names, shown, self.words.imagenet)
        weights = class_weights(self.photos, len(self.classes.names)).to(backend.device)
        self.loss = backend.prepare(AlignLoss(self.model, self.words, weights, config, teacher))
        groups = self.model.parameter_groups(
            config.weight_decay, config.trunk_rate if config.imagenet else 1.0
        )
        optimiser = torch.optim.AdamW(groups, config.learning_rate, fused=backend.device.type != "mps")
        self.learners = {"model": Learner(self.model, optimiser)}
        self.average = Average(self.model, config.ema)
        self.facts = {"align": to_dict(config), "model": model_config(config)}

    def loader(self, phase: int, first_sample: int) -> Batches:
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
        count = config.batch + samples.named_batch
        return load_batches(samples, count, first_sample, config.workers, self.backend.share, collate)

    def step(self, batch: Batch, first_sample: int) -> float:
        self.model.train()
        optimiser = self.learners["model"].optimiser
        return self.backend.optimise(
            self.loss, optimiser, batch, first_sample, clip_norm=self.config.clip_norm
        )

    def validate(self) -> tuple[dict[str, float], Image.Image]:
        # The loop puts the averaged weights in before, and takes out what is there after it.
        self.model.load_state_dict(self._blend(self.model.own_state()), strict=False)
        self.model.eval()
        return self.validation(self.model, self.backend)

    def _load_begun(self, resume: bool) -> dict[str, Tensor] | None:
        """Return the image tower before the first step. None: nothing of it is to be kept.

        Raises CheckpointError where a run that is resumed lacks it.
        """
        config = self.config
        if config.blend == 1 or not (config.imagenet or config.start):
            return None
        path = Path(config.output) / BEGUN_FILE
        if resume:
            if not path.is_file():
                raise CheckpointError(
                    f"{path} is missing, of which the encoder is to keep a share. Put it back, or resume "
                    "with --blend 1, which keeps nothing of it."
                )
            return load_file(path, device=str(self.backend.device))
        tower = {k: v for k, v in self.model.own_state().items() if k.startswith("encoder.visual.")}
        begun = {k: v.detach().contiguous().clone() for k, v in tower.items()}
        if self.backend.is_main:
            with replacing(path) as temporary:
                save_file(begun, temporary)
        return begun

    def _blend(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return a state of the model with what it keeps of the weights that it began with."""
        begun = self.begun or {}
        return {
            k: torch.lerp(begun[k], v, self.config.blend) if k in begun and v.is_floating_point() else v
            for k, v in state.items()
        }

    def export(self, folder: Path) -> None:
        averaged = self._blend(self.average.state)
        state = {
            k.removeprefix("encoder."): v for k, v in averaged.items() if k.startswith("encoder.visual.")
        }
        state.update(self.text.state_dict())
        state["logit_scale"] = averaged["log_scale"].clamp(max=float(np.log(100)))
        _save_clip(folder, model_config(self.config), state)


def _build_clip(
    config: AlignConfig, classes: Classes, teacher: ImageNetTeacher | None, resume: bool
) -> tuple[DenseClip, Any]:
    """Return the model to train and its tokenizer.

    Its text tower is that of the run when it is resumed, else that of the model to begin with or to take the
    words of, else it is taught now. Names of the teacher's classes are moved unless it was there before.
    """
    folder = Path(config.output)
    model_folder = folder / "model"
    if config.start and not resume:
        _copy_clip(Path(config.start), model_folder)
    elif not resume:
        import open_clip

        torch.manual_seed(config.seed)
        described = model_config(config)
        clip = open_clip.CLIP(**described["model_cfg"])
        if config.imagenet:
            _begin_with_imagenet(clip, config.trunk)
        _save_clip(model_folder, described, clip.state_dict())
        tokenizer = find_tokenizer(SemanticConfig(str(model_folder), keep_text=True))
        class_words = [w for n, s in zip(classes.names, classes.synonyms) for w in (n, *s)]
        figures: dict[str, float] = {}
        if config.words:
            _copy_words(clip, Path(config.words))
        else:
            figures |= teach_text(clip, tokenizer, MiniLm(), class_words, config)
        if teacher is not None and config.name_shift:
            figures |= _move_names(clip, tokenizer, teacher, class_words, config)
        if figures:
            (folder / WORDS_FILE).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        _save_clip(model_folder, described, clip.state_dict())
    semantic = SemanticConfig(str(model_folder), trainable=True, keep_text=True)
    return build_semantic_encoder(semantic), find_tokenizer(semantic)


def _move_names(
    clip: CLIP,
    tokenizer: Tokenizer,
    teacher: ImageNetTeacher,
    class_words: Sequence[str],
    config: AlignConfig,
) -> dict[str, float]:
    """Move the names of the teacher's classes to where its class vectors lie; how well both are learned."""
    words = [word.lower() for word in imagenet_words()]
    names = embed_labels(clip, tokenizer, words).clone()
    targets = meet_names(clip.visual.head, teacher, names, config.name_shift, SCALE, config.seed)
    # Two classes of one name share a place.
    same = {word: [i for i, other in enumerate(words) if other == word] for word in words}
    wanted = {word: F.normalize(targets[places].mean(dim=0), dim=-1) for word, places in same.items()}
    return move_names(clip, tokenizer, wanted, class_words, config)


def _begin_with_imagenet(clip: CLIP, trunk: str) -> None:
    """Copy the weights of the classifier's trunk."""
    weights = load_classifier(trunk).state_dict()
    own = clip.visual.trunk.state_dict()
    clip.visual.trunk.load_state_dict({name: weights[name] for name in own})


def _copy_words(clip: CLIP, folder: Path) -> None:
    """Copy the text tower of an open_clip folder. Raises ConfigError when it is another one."""
    if not (folder / WEIGHTS_FILE).is_file():
        raise ConfigError(f"{folder} holds no {WEIGHTS_FILE}. Name the folder of an open_clip model.")
    own = clip.state_dict()
    text = {k: v for k, v in load_file(folder / WEIGHTS_FILE).items() if not k.startswith("visual.")}
    wanted = {k: v.shape for k, v in own.items() if not k.startswith("visual.")}
    if {k: v.shape for k, v in text.items()} != wanted:
        raise ConfigError(
            f"The text tower of {folder} is not the one that is configured. Give its --text-width, "
            "--text-layers, --context-length and --embed-dim."
        )
    clip.load_state_dict({**own, **text})


def _copy_clip(source: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        shutil.copy2(source / name, folder / name)


def _save_clip(folder: Path, config: dict[str, Any], state: dict[str, Tensor]) -> None:
    """Write an open_clip folder in half precision, each file replaced in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    half = {
        k: (v.half() if v.is_floating_point() else v).detach().cpu().contiguous() for k, v in state.items()
    }
    with replacing(folder / WEIGHTS_FILE) as path:
        save_file(half, path, metadata={"format": "pt"})
    with replacing(folder / CONFIG_FILE) as path:
        path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
