"""What is trained for the papers' tables: a variant is what one training has that others have not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sair_core.errors import ConfigError
from sair_core.training.config import RunConfig
from sair_core.training.recipes import LENGTHS, find_recipe
from sair_core.training.tasks import TASKS


@dataclass(frozen=True)
class Variant:
    """title: as the paper calls it. kind: of `TASKS`. fields: of that task's configuration."""

    title: str
    kind: str
    fields: Mapping[str, Any] = field(default_factory=dict)

    def configure(self, shared: Mapping[str, Any], **run: Any) -> RunConfig:
        """Return the configuration of a run: the recipe of its preset, what all runs share, its own fields.

        run: fields that are the run's alone, such as its folder. Raises ConfigError.
        """
        own = {**shared, **self.fields, **run}
        recipe = find_recipe(self.kind, own.get("preset"))
        if any(name in own for name in LENGTHS):  # one length, and that is another
            recipe = {name: value for name, value in recipe.items() if name not in LENGTHS}
        return TASKS[self.kind].config_class(**{**recipe, **own})


DEGRADATIONS = ("noise:0.1", "blur:2", "scale:4")

VARIANTS = {
    "sair": Variant("SAIR", "sair", {"preset": "paper"}),
    # Alike in all else: the paper has no such row, its LIIF has another encoder, too.
    "plain": Variant("SAIR without semantics", "sair", {"preset": "paper", "semantics": "none"}),
    # The paper's L1 on colour does not keep what SIR says in the space of words; a teacher does.
    "sair-taught": Variant("SAIR, SIR taught", "sair", {"preset": "paper", "semantic_weight": 0.2}),
    "liif": Variant("LIIF", "sair", {"preset": "liif"}),
    "edsr": Variant("EDSR(wo)", "sair", {"preset": "edsr"}),
    "sem-edsr": Variant("EDSR(w)", "sair", {"preset": "sem-edsr"}),
    "lte": Variant("LTE", "sair", {"preset": "lte"}),
    "sem-lte": Variant("SemLTE", "sair", {"preset": "sem-lte"}),
    "nfs": Variant("NFS", "sair", {"preset": "nfs"}),
    "ous": Variant("OUS", "sair", {"preset": "ous"}),
    "sam": Variant("SAM encoder", "sair", {"preset": "sam", "encoder": "samvit_base_patch16"}),
    "restorer": Variant("SAIR for degraded photos", "sair", {"preset": "paper", "degrade": DEGRADATIONS}),
    "spn": Variant("SPN", "spn", {"probabilistic": False}),
    "spn-drawn": Variant("SPN, probabilistic", "spn", {"probabilistic": True}),
    "spl": Variant("SPL: the coarsest prior", "spn", {"probabilistic": False, "scales": 1}),
    # The paper's is taught by an SPN that was trained on another set of photos; ours by the bundled one.
    "spl-taught": Variant(
        "SPL, taught by the priors of an SPN",
        "spn",
        {"probabilistic": False, "scales": 1, "pretext": "spn-lite"},
    ),
    "spn-2-scales": Variant("the two coarsest priors", "spn", {"probabilistic": False, "scales": 2}),
    "spn-4-blocks": Variant("4 blocks", "spn", {"probabilistic": False, "blocks": 4}),
    "spn-12-blocks": Variant("12 blocks", "spn", {"probabilistic": False, "blocks": 12}),
    "spn-concat": Variant("w/o SPADE", "spn", {"probabilistic": False, "fusion": "concat"}),
    "spn-untaught": Variant("w/o ASL", "spn", {"probabilistic": False, "pretext": "none"}),
    "spn-edges": Variant("SPN w/ edge", "spn", {"probabilistic": False, "pretext": "edges"}),
    "spn-clip": Variant("taught by sair-clip", "spn", {"probabilistic": False, "pretext": "sair-clip"}),
    "spn-random": Variant("SPN w/ rand", "spn", {"probabilistic": False, "random_pretext": True}),
}


def find_variant(name: str) -> Variant:
    """Return the variant of a name. Raises ConfigError."""
    if name not in VARIANTS:
        raise ConfigError(f"unknown variant {name!r}; known are {', '.join(VARIANTS)}")
    return VARIANTS[name]
