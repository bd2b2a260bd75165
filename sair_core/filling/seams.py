"""Seam removal: the error at a hole's border, extended harmonically into the hole and added to the fill.

A fill that is right in texture but a little off in colour shows its outline. At the known pixels around the
hole the error (known minus predicted) can be measured; the smoothest function with those border values is the
solution of Laplace's equation inside. Adding it makes the fill meet the photo at the border, and never adds
more than the largest error found there.

Discretely: at every hole pixel the correction is the mean of its 4-neighbours, known neighbours hold the
measured error, and neighbours beyond the picture's edge do not exist (a Neumann condition). Small systems are
factorised. Larger ones are solved by conjugate gradients with a multigrid cycle as preconditioner, whose work
grows in proportion to the hole. Gigantic holes are solved on a reduced picture, and at full resolution in a
band along their border; for smooth errors that stays within about 1 % of their range.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.linalg import SuperLU, splu

from sair_core.photos.masks import bounding_box

DIRECT_MAX = 4_000  # unknowns up to which a factorisation is faster than a multigrid cycle
MULTIGRID_MAX = 400_000  # unknowns up to which all of them are solved at full resolution
BAND_PX = 12  # the border strip of a larger hole that is solved at full resolution
TOLERANCE = 1e-6  # relative residual at which the iteration stops
MAX_ITERATIONS = 60  # never reached: 5 to 15 are usual
GRID_PX = 64  # cell of the coarsest grid there can be, a power of 2

_FOUR = ndimage.generate_binary_structure(2, 1)


def remove_seam(filled01: np.ndarray, known01: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Correct a fill so that it meets the photo without a visible border.

    Args:
        filled01: float32 (H, W, 3), the model's prediction at hole pixels and at the known pixels that touch
            them (4-neighbours). Other values are not used.
        known01: float32 (H, W, 3) in [0, 1], the photo. Values at hole pixels are not used.
        mask: bool (H, W), True = hole.

    Returns:
        float32 (H, W, 3): the corrected fill at hole pixels (it may leave [0, 1] slightly: clip when
        quantising), known01 unchanged elsewhere. Without any known pixel there is nothing to correct.

    Raises:
        ValueError: the shapes do not belong together.
    """
    if filled01.shape != known01.shape or filled01.shape[:2] != mask.shape:
        raise ValueError(
            f"Fill {filled01.shape}, photo {known01.shape} and mask {mask.shape} must share height and width."
        )
    result = known01.astype(np.float32, copy=True)
    window = bounding_box(mask, margin_px=1)
    if window is None:
        return result
    hole = mask[window]
    correction = extend_harmonically(known01[window] - filled01[window], hole)
    result[window][hole] = filled01[window][hole] + correction
    return result


def extend_harmonically(values: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Return the discrete harmonic function inside a hole that takes the given values on its border.

    Args:
        values: float (H, W, C), read only at known pixels that touch the hole (4-neighbours).
        hole: bool (H, W).

    Returns:
        float32 (N, C) at the hole's pixels, in the order of np.nonzero(hole); zeros if no pixel is known.
    """
    values, hole = _cut_out(values, hole)
    ring = ndimage.binary_dilation(hole, _FOUR) & ~hole
    border = np.where(ring[..., None], values, 0).astype(np.float32, copy=False)  # (H, W, C)
    if not ring.any():
        return border[hole]
    if np.count_nonzero(hole) > MULTIGRID_MAX:
        border = _fill_interior(border, ring, hole)
        band = hole & (ndimage.distance_transform_cdt(hole, metric="taxicab") <= BAND_PX)
        border[band] = _solve(np.where(band[..., None], 0, border), band)
        return border[hole]
    return _solve(border, hole)


def _cut_out(values: np.ndarray, hole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut values (H, W, C) and hole (H, W) to the hole and what touches it; its pixels stay in their order.

    From a multiple of GRID_PX on, so that coarser grids have their cells where they would have them.
    """
    box = bounding_box(hole, margin_px=1)
    if box is None:
        return values, hole
    window = tuple(slice(side.start // GRID_PX * GRID_PX, side.stop) for side in box)
    return values[window], hole[window]


def _fill_interior(border: np.ndarray, ring: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The extension solved at half resolution and enlarged: good away from the border, where it is smooth.

    border: (H, W, C), zero off the ring. Returns (H, W, C) with the hole filled.
    """
    # A 2 x 2 cell is hole if all of it is. A known cell next to a hole cell always holds a ring pixel.
    odd = [(0, n % 2) for n in hole.shape]
    cells = np.all(_quads(np.pad(hole, odd, mode="edge")), axis=0)
    counts = _quads(np.pad(ring, odd)).sum(axis=0, dtype=border.dtype)
    means = _quads(np.pad(border, [*odd, (0, 0)])).sum(axis=0) / np.maximum(counts, 1)[..., None]
    means[cells] = extend_harmonically(means, cells)
    filled = border.copy()
    y, x = np.nonzero(hole)
    filled[hole] = sum(weight * means[rows, cols] for rows, cols, weight in _bilinear(y, x, means.shape[:2]))
    return filled


def _quads(grid: np.ndarray) -> np.ndarray:
    """Return the four pixels of every 2 x 2 cell: (4, H / 2, W / 2, ...)."""
    return np.stack([grid[i::2, j::2] for i in (0, 1) for j in (0, 1)])


def _bilinear(
    y: np.ndarray, x: np.ndarray, size: tuple[int, int]
) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Rows, columns (N,) and weight of the four half-resolution cells around each pixel, edges clamped."""
    near_y, near_x = y // 2, x // 2
    far_y = np.clip(near_y + 2 * (y % 2) - 1, 0, size[0] - 1)
    far_x = np.clip(near_x + 2 * (x % 2) - 1, 0, size[1] - 1)
    near, far = 3 / 4, 1 / 4
    return [
        (near_y, near_x, near * near),
        (near_y, far_x, near * far),
        (far_y, near_x, far * near),
        (far_y, far_x, far * far),
    ]


def solve_poisson(sources: np.ndarray, hole: np.ndarray, screening: float = 0.0) -> np.ndarray:
    """Solve the discrete screened Poisson equation in a hole, with 0 at the known pixels around it.

    (number of neighbours + screening) u - (sum of hole neighbours) = sources, at every hole pixel. Neighbours
    beyond the picture's edge do not exist. Without any known pixel, screening must be above 0.

    Args:
        sources: float (N, C), at the hole's pixels, in the order of np.nonzero(hole).
        hole: bool (H, W).

    Returns:
        float32 (N, C), u.
    """
    matrix, _ = _laplace_system(np.zeros((*hole.shape, 1), np.float32), hole)
    matrix = matrix + screening * sparse.eye_array(len(sources), format="csr")
    return _solve_system(matrix.tocsr(), sources.astype(np.float64), hole)


def _solve(border: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Solve Laplace's equation in the hole.

    border: float32 (H, W, C), zero inside. Returns float32 (N, C).
    """
    matrix, constants = _laplace_system(border, hole)
    return _solve_system(matrix, constants, hole)


def _solve_system(matrix: sparse.csr_array, constants: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """A symmetric system over the hole's pixels: (N, N) and (N, C) to float32 (N, C)."""
    levels, coarsest = _hierarchy(matrix, hole)
    if not levels:
        return coarsest.solve(constants).astype(np.float32)
    return _conjugate_gradients(matrix, constants, levels, coarsest).astype(np.float32)


def _laplace_system(border: np.ndarray, hole: np.ndarray) -> tuple[sparse.csr_array, np.ndarray]:
    """(number of neighbours) u - (sum of hole neighbours) = (sum of known neighbours)."""
    index = _number_cells(hole)
    neighbours = np.zeros(hole.shape)
    constants = np.zeros_like(border)  # (H, W, C)
    pairs = []
    whole, first, last = slice(None), slice(None, -1), slice(1, None)
    for here, there in (((first, whole), (last, whole)), ((whole, first), (whole, last))):
        for one, other in ((here, there), (there, here)):
            neighbours[one] += 1
            constants[one] += border[other]
        both = hole[here] & hole[there]
        pairs.append((index[here][both], index[there][both]))
    rows, cols = (np.concatenate(side) for side in zip(*pairs, strict=True))
    count = int(index.max()) + 1
    upper = sparse.coo_array((np.full(rows.size, -1.0), (rows, cols)), shape=(count, count)).tocsr()
    matrix = upper + upper.T + sparse.diags_array(neighbours[hole])
    return matrix.tocsr(), constants[hole].astype(np.float64)


def _number_cells(cells: np.ndarray) -> np.ndarray:
    """int32 (H, W): the position of each True cell in the order of np.nonzero, -1 elsewhere."""
    index = np.full(cells.shape, -1, np.int32)
    index[cells] = np.arange(np.count_nonzero(cells), dtype=np.int32)
    return index


@dataclass(frozen=True)
class _Level:
    """One grid of the multigrid hierarchy. Its smoother: two Chebyshev-weighted Jacobi steps."""

    matrix: sparse.csr_array  # (n, n)
    prolong: sparse.csr_array  # (n, n of the next, coarser level)
    restrict: sparse.csr_array
    steps: list[np.ndarray]  # each (n, 1)


def _hierarchy(matrix: sparse.csr_array, cells: np.ndarray) -> tuple[list[_Level], SuperLU]:
    """Coarser and coarser Galerkin systems, down to one that is factorised."""
    levels = []
    while matrix.shape[0] > DIRECT_MAX:
        prolong, cells = _prolongation(cells)
        restrict = prolong.T.tocsr()
        levels.append(_Level(matrix, prolong, restrict, _smoothing_steps(matrix)))
        matrix = (restrict @ matrix @ prolong).tocsr()
    return levels, splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})


def _prolongation(cells: np.ndarray) -> tuple[sparse.csr_array, np.ndarray]:
    """Bilinear interpolation from the 2 x 2 cells that hold an unknown. Known neighbours count as zero."""
    coarse = np.any(_quads(np.pad(cells, [(0, n % 2) for n in cells.shape])), axis=0)
    index = _number_cells(coarse)
    y, x = np.nonzero(cells)
    rows, cols, weights = [], [], []
    for cell_y, cell_x, weight in _bilinear(y, x, coarse.shape):
        columns = index[cell_y, cell_x]
        inside = np.flatnonzero(columns >= 0)
        rows.append(inside)
        cols.append(columns[inside])
        weights.append(np.full(inside.size, weight))
    entries = (np.concatenate(weights), (np.concatenate(rows), np.concatenate(cols)))
    return sparse.coo_array(entries, shape=(y.size, np.count_nonzero(coarse))).tocsr(), coarse


def _smoothing_steps(matrix: sparse.csr_array) -> list[np.ndarray]:
    """Jacobi step sizes that damp the upper four fifths of the spectrum best (Chebyshev's roots)."""
    diagonal = matrix.diagonal()
    largest = float((abs(matrix).sum(axis=1) / diagonal).max())  # Gershgorin's bound for D^-1 A
    centre, radius = 0.6 * largest, 0.4 * largest
    return [(1 / ((centre + sign * radius * np.sqrt(0.5)) * diagonal))[:, None] for sign in (1, -1)]


def _conjugate_gradients(
    matrix: sparse.csr_array, constants: np.ndarray, levels: list[_Level], coarsest: SuperLU
) -> np.ndarray:
    """Preconditioned conjugate gradients, all channels at once. constants: (N, C). Returns (N, C)."""
    solution = np.zeros_like(constants)
    residual = constants.copy()
    target = TOLERANCE * np.sqrt(_dot(constants, constants))
    direction, product = np.zeros_like(constants), np.ones(constants.shape[1])
    for _ in range(MAX_ITERATIONS):
        if (np.sqrt(_dot(residual, residual)) <= target).all():
            break
        step = _cycle(residual, levels, coarsest)
        previous, product = product, _dot(residual, step)
        direction = step + _ratio(product, previous) * direction
        image = matrix @ direction
        length = _ratio(product, _dot(direction, image))
        solution += length * direction
        residual -= length * image
    return solution


def _dot(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Inner products of the columns: (N, C), (N, C) -> (C,)."""
    return np.einsum("nc,nc->c", left, right)


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotients (C,), 0 where a channel is solved exactly."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)


def _cycle(residual: np.ndarray, levels: list[_Level], coarsest: SuperLU) -> np.ndarray:
    """One symmetric V-cycle: an approximate solution for the given right-hand side (N, C)."""
    if not levels:
        return coarsest.solve(residual)
    level = levels[0]
    first, second = level.steps
    guess = first * residual
    guess += second * (residual - level.matrix @ guess)
    coarse = level.restrict @ (residual - level.matrix @ guess)
    guess += level.prolong @ _cycle(coarse, levels[1:], coarsest)
    for step in (second, first):
        guess += step * (residual - level.matrix @ guess)
    return guess
