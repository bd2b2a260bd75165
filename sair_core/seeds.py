"""Random numbers from one seed: each purpose draws from a stream of its own.

A seed is a whole number that a user gives. Streams are told apart by a number beside it, so that two purposes
never draw the same numbers: NumPy takes missing numbers for zeros, and `[seed, 4]` is `[seed, 4, 0]`.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from sair_core.errors import ConfigError

MAX_SEED = 2**32 - 1


def seed_range(first: int, count: int) -> range:
    """Return so many seeds from the first on. Raises ConfigError where one is out of range."""
    if first < 0 or first + count - 1 > MAX_SEED:
        raise ConfigError(f"Seeds must be whole numbers from 0 to {MAX_SEED}, and {first} is out of range.")
    return range(first, first + count)


class Stream(IntEnum):
    """What is drawn in a training, and the number of its stream.

    Never change a number: runs, models and figures are repeated with it. A new one follows the largest.
    """

    HELD_BACK = 1  # which photos are kept for validation
    SAMPLE = 2  # by number: photo, crop and hole of a sample
    PHOTO_ORDER = 3  # by epoch
    BATCH = 4  # by number: what the samples of a batch have in common
    DETAIL_SAMPLE = 5  # by number
    PHRASE_BATCH = 6  # by step: phrases that teach a text tower
    EVERYDAY_WORDS = 7  # which of them are never taught
    DISTRACTORS = 8  # by sample: words that a photo does not show
    GUIDANCE = 9  # by sample: words that a fill is told
    PROJECTION = 10  # what a projection is fitted to before the training of its tower
    PROTOTYPES = 11  # by sample: classes whose features are made up
    AUGMENTATION = 12  # by sample: of what a discriminator sees
    DEGRADATION = 13  # by photo of an evaluation: noise, and strengths that are drawn
    SELECTION_SAMPLE = 14  # by number: a square with an object
    CLICKS = 15  # by sample: where a selection is clicked
    VALIDATION_SQUARES = 16
    PALENESS = 17  # by sample: which photos are shown with less contrast, and how
    # Above any photo's index, see `hole_generator`.
    VALIDATION_HOLES = 2**31
    CAPTIONS = 2**31 + 1


def stream_generator(seed: int, stream: Stream, *place: int) -> np.random.Generator:
    """Return the generator of a stream. place: the number of the sample, step or epoch that is drawn."""
    return np.random.default_rng([seed, stream, *place])


def hole_generator(seed: int, photo_index: int, hole_index: int = 0) -> np.random.Generator:
    """Return the generator of a hole of an evaluation.

    It has the photo's index where others have the number of their stream: published figures were measured
    with these holes. So the first nine photos share numbers with a training of the same seed, which draws
    other things from them, in another run.
    """
    return np.random.default_rng([seed, photo_index, hole_index])
