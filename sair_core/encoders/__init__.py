"""Encoders: appearance (`APPEARANCE_ENCODERS`) and semantic (`semantic`, `dense_clip`)."""

from sair_core.encoders.edsr import EdsrConfig, EdsrEncoder
from sair_core.encoders.table4 import Table4Config, Table4Encoder
from sair_core.encoders.unet import UNetConfig, UNetEncoder

# name -> (module, config). A new encoder is one file and one line here; the contract test covers every entry.
APPEARANCE_ENCODERS = {
    "table4": (Table4Encoder, Table4Config),
    "unet": (UNetEncoder, UNetConfig),
    "edsr": (EdsrEncoder, EdsrConfig),
}
