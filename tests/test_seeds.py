import itertools

import numpy as np
import pytest

from sair_core.seeds import Stream, hole_generator, stream_generator

PLACES = ((), (0,), (1,), (7,))


def first_draws(generator: np.random.Generator) -> tuple[int, ...]:
    return tuple(generator.integers(2**62, size=4).tolist())


@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1])
def test_no_two_streams_draw_the_same(seed):
    draws = {s: {first_draws(stream_generator(seed, s, *place)) for place in PLACES} for s in Stream}
    for one, other in itertools.combinations(Stream, 2):
        assert not draws[one] & draws[other], (one, other)
    assert all(len(found) == len(PLACES) - 1 for found in draws.values()), "no place is place 0"


def test_a_stream_is_repeated_and_another_seed_is_another_one():
    again, other = stream_generator(3, Stream.SAMPLE, 5), stream_generator(4, Stream.SAMPLE, 5)
    drawn = first_draws(stream_generator(3, Stream.SAMPLE, 5))
    assert drawn == first_draws(again) != first_draws(other)


def test_the_numbers_that_runs_and_figures_were_drawn_with_stay():
    """As drawn before the streams had names: weights and published figures are repeated with these."""
    numbers = {
        Stream.HELD_BACK: 1,
        Stream.SAMPLE: 2,
        Stream.PHOTO_ORDER: 3,
        Stream.BATCH: 4,
        Stream.DETAIL_SAMPLE: 5,
        Stream.PHRASE_BATCH: 6,
        Stream.EVERYDAY_WORDS: 7,
        Stream.DISTRACTORS: 8,
        Stream.GUIDANCE: 9,
    }
    for stream, number in numbers.items():
        plain = np.random.default_rng([11, number, 6])
        assert first_draws(stream_generator(11, stream, 6)) == first_draws(plain)
    for place in ((120, 2), (35,)):
        assert first_draws(hole_generator(0, *place)) == first_draws(np.random.default_rng([0, *place]))


def test_holes_of_an_evaluation_are_no_holes_of_a_validation():
    """They would be, if a stream had the number that a photo may have."""
    validation = first_draws(stream_generator(0, Stream.VALIDATION_HOLES))
    assert validation not in {
        first_draws(hole_generator(0, photo, i)) for photo in range(400) for i in range(3)
    }
