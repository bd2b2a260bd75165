"""`benchmarks/decode.py`: the formula that the decoder's speed is measured against gives the same colours."""

import torch

from benchmarks import decode
from sair_core.models.sair import Part, Sair, SairConfig
from sair_core.models.sir import SirConfig
from tests.models.conftest import SMALL_LIIF, SMALL_UNET, TinySemanticEncoder

NO_CELL = Part("liif", {"hidden": 16, "layers": 3, "use_cell": False})


def test_both_ways_answer_alike():
    torch.manual_seed(0)
    plain = SairConfig(SMALL_UNET, NO_CELL, semantics="none", semantic=None)
    semantic = SairConfig(SMALL_UNET, SMALL_LIIF, sir=SirConfig(hidden=8), semantic_stride_px=8)
    for model in (Sair(plain), Sair(semantic, TinySemanticEncoder())):
        with torch.inference_mode():
            written_plainly, ours = decode.both(model.eval(), 20)
            colours = written_plainly()
            assert colours.shape == (1, 400, 3) and colours.std() > 1e-3
            torch.testing.assert_close(colours, ours(), atol=decode.TOLERANCE, rtol=0)
