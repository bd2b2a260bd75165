"""Measures a filling model next to classical baselines: `python -m sair_core.evaluation --help`.

Stands beside the pipeline, which needs none of it; training uses its figures and samples. Importing it is
cheap: scikit-image, OpenCV and torch are loaded by the functions that need them.
"""

from sair_core.evaluation.metrics import l1, psnr, ssim

__all__ = ["l1", "psnr", "ssim"]
