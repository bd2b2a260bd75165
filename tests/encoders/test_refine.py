import pytest
import torch

from sair_core.encoders.refine import denoise_prompts, smooth_by_keys


def test_tokens_with_one_key_get_their_mean_and_others_stay():
    keys = torch.tensor([[[1.0, 0], [3, 0], [0, 1], [0, -2]]])
    dense = torch.tensor([[[2.0], [4], [7], [9]]])
    smooth = smooth_by_keys(dense, keys)
    torch.testing.assert_close(smooth, torch.tensor([[[3.0], [3], [7], [9]]]))


def test_unknown_tokens_count_for_themselves_only():
    keys, dense = torch.ones(1, 3, 2), torch.tensor([[[3.0], [6], [90]]])
    smooth = smooth_by_keys(dense, keys, torch.tensor([[True, True, False]]))
    torch.testing.assert_close(smooth, torch.tensor([[[4.5], [4.5], [33]]]))


def test_labels_that_are_likely_nowhere_are_dropped():
    likely = torch.tensor([[[0.6, 0.3, 0.1], [0.2, 0.45, 0.35]], [[0.1, 0.1, 0.8], [0.45, 0.48, 0.07]]])
    kept = denoise_prompts(likely.log())
    assert torch.equal(kept.isinf(), torch.tensor([False, True, False]).expand(2, 2, 3))
    assert kept.argmax(dim=-1).tolist() == [[0, 2], [2, 0]]
    torch.testing.assert_close(kept[..., 0], likely[..., 0].log())
    assert torch.equal(denoise_prompts(likely.log(), 0.4), likely.log())


def test_a_label_stays_when_none_is_likely():
    logits = torch.zeros(4, 5)
    assert torch.equal(denoise_prompts(logits), logits)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_types_stay(dtype):
    assert denoise_prompts(torch.randn(3, 4).to(dtype), 0.1).dtype == dtype
    assert smooth_by_keys(torch.randn(1, 3, 4).to(dtype), torch.randn(1, 3, 4)).dtype == dtype
