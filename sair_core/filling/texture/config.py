"""Everything that can be chosen about the synthesis."""

from __future__ import annotations

from sair_core.config import require, strict_dataclass

ABOVE_ZERO = (
    "components coarsest_px min_sources guide_blur vote_sigma_px screening min_context_px max_sources".split()
)
AT_LEAST_ZERO = (
    "exact_pairs variety random_tries colour_guide semantic_guide texture_energy guided_level completeness"
    " vote_sharpness expansion_offsets expansion_px coherence_sweeps joint fragment context".split()
)


@strict_dataclass
class TextureConfig:
    """Options of the synthesis. Every weight is on the scale of squared differences of colours in [0, 1].

    patch_px: side of the compared patches, odd. components: principal directions they are compared in.
    coarsest_px: thickness of the hole at the coarsest level of the pyramid, whose levels halve.
    min_sources: patches to copy from that a level needs; coarser levels are left out.
    rounds: of search and vote, from the finest level on; the last number holds for all coarser ones.
    exact_pairs: pairs of patches up to which a level is searched exhaustively.
    variety: how much seeds differ: the largest random handicap of a source, as a share of the variance of
    patches, on levels that are searched exhaustively.
    random_tries: random candidates a patch and round, at ever smaller distances, where it is not.

    colour_guide: weight of the guide's low frequencies. guide_blur: their Gaussian's sigma, as a share of
    the hole's thickness. semantic_guide: weight of the embeddings. texture_energy: weight of the local
    strength of horizontal and vertical differences. guided_level: the finest level at which guides count.

    completeness: weight of the votes by which every source patch asks to be seen in the hole (bidirectional
    similarity, Simakov et al., CVPR 2008), on levels that are searched exhaustively; 0 = off.
    vote_sigma_px: reach of a patch's vote, a Gaussian's sigma. vote_sharpness: how much more a patch counts
    that fits better. border_trust: how much more a patch counts for being 1 px nearer to what is known.

    expansion_offsets: the commonest offsets, each offered to all pixels of a level at once; 0 = off.
    expansion_px: pixels up to which a level is improved so. coherence_sweeps: passes of the refinement that
    follows, pixel by pixel. Both prefer large copied pieces with invisible joints. joint: weight of a
    mismatch of colour at a joint. fragment: cost of any joint, as a share of the median patch difference.
    screening: pull of the copied colours in the final Poisson blending; large values keep joints visible.

    context: known surroundings that are searched, as a multiple of the hole's thickness, and min_context_px
    at least. max_sources: nearest source patches that are used at a level: bounds memory.
    """

    patch_px: int = 7
    components: int = 32
    coarsest_px: float = 9.0
    min_sources: int = 60
    rounds: tuple[int, ...] = (2, 4, 6, 8)
    exact_pairs: int = 40_000_000
    random_tries: int = 1
    variety: float = 0.1
    colour_guide: float = 0.5
    guide_blur: float = 0.125
    semantic_guide: float = 0.0
    texture_energy: float = 1.0
    guided_level: int = 0
    completeness: float = 1.0
    vote_sigma_px: float = 4.0
    vote_sharpness: float = 1.0
    border_trust: float = 1.3
    expansion_offsets: int = 0
    expansion_px: int = 8000
    coherence_sweeps: int = 4
    joint: float = 5.0
    fragment: float = 0.1
    screening: float = 0.02
    context: float = 1.5
    min_context_px: int = 160
    max_sources: int = 1_500_000

    def __post_init__(self) -> None:
        require(self.patch_px % 2 == 1 and self.patch_px >= 3, f"patch_px must be odd, not {self.patch_px}.")
        require(min(self.rounds, default=0) >= 1, f"rounds must each be 1 or more, not {self.rounds}.")
        require(self.border_trust >= 1, f"border_trust must be 1 or more, not {self.border_trust}.")
        for name in ABOVE_ZERO:
            require(getattr(self, name) > 0, f"{name} must be above 0, not {getattr(self, name)}.")
        for name in AT_LEAST_ZERO:
            require(getattr(self, name) >= 0, f"{name} must not be negative, not {getattr(self, name)}.")

    @property
    def reach_px(self) -> int:
        """How far a patch reaches from its centre."""
        return self.patch_px // 2
