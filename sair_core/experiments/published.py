"""Figures that the two papers print, to stand beside ours.

SAIR: arXiv 2310.09285, Tables 1, 2, 4, 5 and 6, photos of 256 px, whole pictures. SPN: "Fully Context-Aware
Image Inpainting with a Learned Semantic Pyramid", Tables 1 to 4; its MAE is in tenths there, in units here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

SAIR_BINS = ("0-20", "20-40", "40-60")
SPN_BINS = ("20-40", "40-60", "all")

NOT_SAID = "photos that the paper does not name"

Figures = Mapping[str, float]  # by name: psnr_db, ssim, l1, lpips, fid, miou
Rows = Mapping[tuple[str, str], Figures]  # by bin and method


def _by_bin(bins: Sequence[str], names: Sequence[str], rows: Mapping[str, Sequence[float]]) -> Rows:
    """Figures of methods that are printed in one line: all of the first bin, then of the second."""
    found: dict[tuple[str, str], Figures] = {}
    for i, name in enumerate(bins):
        for method, values in rows.items():
            part = values[i * len(names) : (i + 1) * len(names)]
            found[name, method] = dict(zip(names, part))
    return found


_SAIR_NAMES = ("psnr_db", "ssim", "l1", "lpips")
_SPN_NAMES = ("ssim", "psnr_db", "l1", "fid")


def _all(names: Sequence[str], rows: Mapping[str, Sequence[float]]) -> Rows:
    return _by_bin(("all",), names, rows)


# By table of ours, then by the set of photos.
PUBLISHED: Mapping[str, Mapping[str, Rows]] = {
    "sair-main": {
        "CelebA-HQ": _by_bin(
            SAIR_BINS,
            _SAIR_NAMES,
            {
                "EdgeConnect": (
                    34.53,
                    0.964,
                    0.005,
                    0.038,
                    27.30,
                    0.889,
                    0.025,
                    0.104,
                    22.32,
                    0.771,
                    0.035,
                    0.195,
                ),
                "RFRNet": (
                    34.93,
                    0.966,
                    0.005,
                    0.035,
                    27.50,
                    0.890,
                    0.024,
                    0.100,
                    22.77,
                    0.775,
                    0.033,
                    0.185,
                ),
                "JPGNet": (
                    35.86,
                    0.972,
                    0.004,
                    0.040,
                    28.18,
                    0.909,
                    0.023,
                    0.119,
                    22.32,
                    0.771,
                    0.035,
                    0.195,
                ),
                "LAMA": (36.04, 0.973, 0.008, 0.024, 29.14, 0.932, 0.020, 0.029, 22.94, 0.854, 0.033, 0.152),
                "MISF": (36.32, 0.976, 0.012, 0.019, 29.85, 0.932, 0.021, 0.055, 23.91, 0.868, 0.042, 0.133),
                "LIIF": (35.27, 0.969, 0.012, 0.023, 28.80, 0.923, 0.026, 0.043, 23.30, 0.830, 0.051, 0.136),
                "SAIR": (37.97, 0.977, 0.010, 0.016, 31.49, 0.944, 0.019, 0.025, 24.87, 0.870, 0.031, 0.124),
            },
        ),
        "ADE20K": _by_bin(
            SAIR_BINS,
            _SAIR_NAMES,
            {
                "EdgeConnect": (
                    30.91,
                    0.948,
                    0.007,
                    0.049,
                    24.18,
                    0.841,
                    0.022,
                    0.139,
                    20.07,
                    0.694,
                    0.048,
                    0.259,
                ),
                "RFRNet": (
                    30.36,
                    0.937,
                    0.008,
                    0.073,
                    23.42,
                    0.807,
                    0.027,
                    0.199,
                    19.21,
                    0.638,
                    0.060,
                    0.340,
                ),
                "JPGNet": (
                    31.65,
                    0.952,
                    0.007,
                    0.074,
                    24.72,
                    0.851,
                    0.022,
                    0.202,
                    20.46,
                    0.713,
                    0.048,
                    0.342,
                ),
                "LAMA": (31.07, 0.956, 0.009, 0.036, 24.15, 0.859, 0.025, 0.116, 20.15, 0.713, 0.048, 0.257),
                "MISF": (31.45, 0.954, 0.006, 0.032, 24.97, 0.859, 0.020, 0.117, 20.59, 0.717, 0.044, 0.233),
                "LIIF": (30.96, 0.946, 0.010, 0.038, 24.57, 0.846, 0.026, 0.120, 19.79, 0.708, 0.049, 0.274),
                "SAIR": (31.01, 0.964, 0.005, 0.034, 26.44, 0.866, 0.023, 0.110, 21.88, 0.722, 0.042, 0.193),
            },
        ),
    },
    "sair-encoders": {
        NOT_SAID: _all(
            ("psnr_db", "ssim"),
            {
                "EDSR(wo)": (30.26, 0.892),
                "EDSR(w)": (31.48, 0.913),
                "LTE": (30.60, 0.931),
                "SemLTE": (31.97, 0.939),
            },
        ),
    },
    "sair-semantics": {
        NOT_SAID: _all(
            ("psnr_db", "ssim"),
            {
                "NFS": (30.32, 0.923),
                "OUS": (31.11, 0.929),
                "SAM encoder": (31.72, 0.935),
                "SAIR": (32.36, 0.944),
            },
        ),
    },
    "sair-miou": {
        NOT_SAID: _all(("miou",), {"CLIP encoder": (0.17,), "CLIP encoder + SIR": (0.45,)}),
    },
    "spn-main": {
        "Places2": _by_bin(
            SPN_BINS,
            _SPN_NAMES,
            {
                "SPL": (0.894, 26.47, 0.0164, 8.30, 0.759, 22.05, 0.0363, 23.98, 0.875, 27.55, 0.0191, 5.56),
                "SPN": (0.897, 26.65, 0.0158, 7.68, 0.763, 22.18, 0.0351, 20.73, 0.877, 27.72, 0.0185, 4.73),
            },
        ),
        "Paris StreetView": _by_bin(
            SPN_BINS,
            _SPN_NAMES,
            {
                "SPL": (
                    0.911,
                    29.34,
                    0.0115,
                    41.41,
                    0.790,
                    24.47,
                    0.0292,
                    93.41,
                    0.882,
                    29.38,
                    0.0161,
                    46.13,
                ),
                "SPN": (
                    0.916,
                    29.76,
                    0.0109,
                    34.00,
                    0.795,
                    24.67,
                    0.0282,
                    70.76,
                    0.886,
                    29.69,
                    0.0154,
                    36.82,
                ),
            },
        ),
        "CelebA-HQ": _all(
            _SPN_NAMES,
            {
                "PIC": (0.860, 27.49, 0.0187, 8.71),
                "DSI": (0.868, 28.03, 0.0175, 6.30),
                "SPN, probabilistic, best of 5": (0.881, 28.90, 0.0160, 4.08),
            },
        ),
    },
    "spn-scales": {
        "Paris StreetView": _all(
            _SPN_NAMES,
            {
                "SPL (64)": (0.882, 29.38, 0.0161, 46.13),
                "64 and 128": (0.884, 29.45, 0.0158, 41.04),
                "SPN": (0.886, 29.69, 0.0154, 36.82),
            },
        ),
    },
    "spn-targets": {
        "Paris StreetView": _all(
            _SPN_NAMES,
            {
                "SPL (64)": (0.886, 29.38, 0.0154, 46.13),
                "SPL (64) w/ prior of SPN": (0.881, 29.21, 0.0163, 42.30),
            },
        ),
    },
    "spn-blocks": {
        "Paris StreetView": _all(
            _SPN_NAMES,
            {
                "4 blocks": (0.881, 29.40, 0.0162, 41.00),
                "SPN": (0.886, 29.69, 0.0154, 36.82),
                "12 blocks": (0.886, 29.61, 0.0155, 42.50),
            },
        ),
    },
}
