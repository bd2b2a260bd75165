import torch

from sair_core.models.projected import MapNorm, ProjectedDiscriminator, Projection

CHANNELS = (4, 6, 40)


def maps(batch=2):
    generator = torch.Generator().manual_seed(1)
    sizes = (16, 8, 4)
    return [torch.randn(batch, c, n, n, generator=generator) for c, n in zip(CHANNELS, sizes)]


def test_the_projection_is_drawn_by_its_seed_and_never_trained():
    first, again, other = Projection(CHANNELS, 0), Projection(CHANNELS, 0), Projection(CHANNELS, 1)
    assert not list(first.parameters())
    for a, b, c in zip(first(maps()), again(maps()), other(maps())):
        assert torch.equal(a, b) and not torch.allclose(a, c)


def test_fine_scales_hear_of_coarse_ones_and_not_the_other_way_round():
    projection, given = Projection(CHANNELS), maps()
    before = projection(given)
    changed = projection([*given[:2], given[2] + 1])
    assert all(not torch.allclose(a, b) for a, b in zip(before, changed))
    changed = projection([given[0] + 1, *given[1:]])
    assert torch.equal(before[2], changed[2]) and torch.equal(before[1], changed[1])


def test_mixed_maps_keep_unit_variance():
    deviations = [one.std().item() for one in Projection(CHANNELS)(maps(64))]
    assert all(0.5 < deviation < 1.5 for deviation in deviations)


def test_a_head_a_scale():
    projection = Projection(CHANNELS)
    logits = ProjectedDiscriminator(projection.widths)(projection(maps()))
    assert [tuple(one.shape) for one in logits] == [(2, 1, 8, 8), (2, 1, 4, 4), (2, 1, 2, 2)]


def test_maps_are_normalised_by_what_was_measured():
    norm = MapNorm(CHANNELS)
    given = [3 + 2 * one for one in maps(64)]
    norm.measure(given)
    norm.train()
    for _ in range(2):  # the second time as the first: nothing more is measured
        for one in norm(given):
            assert abs(one.mean()) < 0.01 and abs(one.std() - 1) < 0.01
