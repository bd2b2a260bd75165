import pytest
import torch

from sair_core.encoders.pretext import EdgePyramid, PretextConfig
from sair_core.errors import ConfigError
from sair_core.models.presets import spn_preset
from sair_core.models.spn import Spn
from sair_core.models.teacher import PriorMaps, build_teacher, teach_priors


@pytest.fixture
def spn():
    """Its priors lie at 1/2, 1/4 and 1/8 of a photo."""
    torch.manual_seed(0)
    return Spn(spn_preset("tiny", probabilistic=True)).eval()


def test_an_spn_teaches_its_priors_of_the_whole_photo(spn):
    teacher = teach_priors(spn, (2, 4, 8), "other")
    rgb = torch.rand(2, 3, 44, 60)
    maps = teacher(rgb)
    assert [tuple(m.shape) for m in maps] == [(2, 8, 22, 30), (2, 8, 11, 15), (2, 16, 6, 8)]
    assert teacher.channels == (8, 8, 16)
    want = spn(rgb[..., :40, :56], torch.zeros(2, 1, 40, 56)).priors
    for one, other in zip(teacher(rgb[..., :40, :56]), want):
        torch.testing.assert_close(one, other)


def test_the_photo_is_enlarged_until_the_scales_fit(spn):
    teacher = teach_priors(spn, (1, 2, 4), "other")
    assert teacher.upsample == 2
    assert [tuple(m.shape[-2:]) for m in teacher(torch.rand(1, 3, 20, 28))] == [(20, 28), (10, 14), (5, 7)]
    with pytest.raises(ConfigError, match="at 1/2, 1/4, 1/8 of a photo and cannot teach those at 1/3"):
        teach_priors(spn, (3,), "other")


def test_a_teacher_is_found_by_what_its_name_means(spn, tmp_path):
    spn.save_pretrained(tmp_path / "other")
    teacher = build_teacher(PretextConfig(str(tmp_path / "other")), (2, 4, 8))
    assert isinstance(teacher.network, PriorMaps) and not any(p.requires_grad for p in teacher.parameters())
    assert isinstance(build_teacher(PretextConfig("edges"), (2, 4, 8)), EdgePyramid)
