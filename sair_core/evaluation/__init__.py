"""Measures a filling model next to classical baselines: `python -m sair_core.evaluation --help`.

Stands beside the pipeline: nothing in the rest of the package needs it but `metrics`. Importing it is cheap,
scikit-image, OpenCV and torch are loaded by the functions that need them.
"""

from sair_core.evaluation.metrics import l1, psnr, ssim

__all__ = ["l1", "psnr", "ssim"]
