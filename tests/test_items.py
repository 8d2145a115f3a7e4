"""Item vectors: standardised inputs, projection and fusion."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.items import FinetunedItemEncoder, ItemEncoder, fuse, standardised


def test_standardising_gives_each_dimension_mean_0_and_variance_1() -> None:
    vectors = np.random.default_rng(0).normal(3, [1, 5, 0.1], size=(50, 3)).astype(np.float32)
    result = standardised(vectors)
    assert result.mean(axis=0) == pytest.approx([0, 0, 0], abs=1e-5)
    assert result.std(axis=0) == pytest.approx([1, 1, 1], abs=1e-4)


def test_items_without_a_text_stay_at_zero_and_do_not_move_the_others() -> None:
    vectors = np.array([[1.0, 2.0], [0.0, 0.0], [3.0, 6.0]], dtype=np.float32)
    assert standardised(vectors).tolist() == [[-1, -1], [0, 0], [1, 1]]
    assert standardised(np.zeros((3, 2), dtype=np.float32)).tolist() == [[0, 0]] * 3


def test_a_dimension_that_is_the_same_for_all_becomes_zero() -> None:
    assert standardised(np.array([[7.0, 1.0], [7.0, 2.0]], dtype=np.float32))[:, 0].tolist() == [0, 0]


def test_concatenation_puts_text_before_structure_and_the_average_is_their_mean() -> None:
    text, structure = torch.tensor([[1.0, 2.0]]), torch.tensor([[5.0, 8.0]])
    assert fuse(text, structure, "concat").tolist() == [[1, 2, 5, 8]]
    assert fuse(text, structure, "average").tolist() == [[3, 5]]


@pytest.mark.parametrize(("fusion", "width"), [("concat", 5), ("average", 2)])
def test_an_item_is_its_projected_text_fused_with_its_structure(fusion: str, width: int) -> None:
    torch.manual_seed(0)
    text = torch.randn(4, 7)
    structure = torch.randn(4, 3 if fusion == "concat" else 2)
    encoder = ItemEncoder(text, structure, 2, fusion)  # type: ignore[arg-type]
    torch.nn.init.normal_(encoder.projection.bias)
    vectors = encoder()
    assert vectors.shape == (4, encoder.width) == (4, width)
    weight, bias = encoder.projection.weight.tolist(), encoder.projection.bias.tolist()
    for item in range(4):
        s = [
            sum(w * t for w, t in zip(row, text[item].tolist(), strict=True)) + b
            for row, b in zip(weight, bias, strict=True)
        ]
        p = structure[item].tolist()
        expected = [*s, *p] if fusion == "concat" else [(a + b) / 2 for a, b in zip(s, p, strict=True)]
        assert vectors[item].tolist() == pytest.approx(expected, abs=1e-5)


def test_averaging_different_widths_is_refused() -> None:
    with pytest.raises(ValueError, match="average fusion needs equal widths, found 2 and 3"):
        ItemEncoder(torch.zeros(4, 7), torch.zeros(4, 3), 2, "average")


def test_only_w_and_b_are_trained_when_the_structure_is_frozen() -> None:
    encoder = ItemEncoder(torch.zeros(4, 7), torch.zeros(4, 3), 2, "concat")
    assert {name for name, _ in encoder.named_parameters()} == {"projection.weight", "projection.bias"}


def test_a_finetuned_encoder_starts_from_the_items_of_the_frozen_one() -> None:
    class Doubling(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = torch.nn.Parameter(torch.tensor(2.0))

        def forward(self, vectors: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
            return vectors * self.factor

    generator = torch.Generator().manual_seed(1)
    text, initial = torch.randn(6, 4, generator=generator), torch.randn(6, 3, generator=generator)
    structure = initial * 2
    frozen = ItemEncoder(text, torch.from_numpy(standardised(structure.numpy())), 2, "concat")
    finetuned = FinetunedItemEncoder(
        text, structure, 2, "concat", Doubling(), initial, torch.zeros(2, 0, dtype=torch.int64)
    )
    finetuned.projection.load_state_dict(frozen.projection.state_dict())
    assert torch.allclose(frozen(), finetuned(), atol=1e-5)
    finetuned().sum().backward()
    assert finetuned.gat.factor.grad is not None
    # Later changes move p'' itself, and not only its standardised form.
    with torch.no_grad():
        finetuned.gat.factor.fill_(4.0)
    assert not torch.allclose(frozen(), finetuned(), atol=0.1)


def test_a_projection_starts_without_a_bias_and_keeps_the_scale_of_standardised_texts() -> None:
    torch.manual_seed(0)
    encoder = ItemEncoder(torch.randn(300, 64), torch.zeros(300, 1), 32, "concat")
    assert not encoder.projection.bias.any()
    assert encoder()[:, :32].std().item() == pytest.approx(1, abs=0.1)


def test_a_structural_dimension_that_is_the_same_for_all_stays_finite_when_finetuned() -> None:
    structure = torch.tensor([[1.0, 2.0], [1.0, 4.0]])
    encoder = FinetunedItemEncoder(
        torch.zeros(2, 3), structure, 2, "average", Unchanged(), structure, torch.zeros(2, 0, dtype=torch.int64)
    )
    assert encoder.structural().tolist() == [[0, -1], [0, 1]]


class Unchanged(torch.nn.Module):
    def forward(self, vectors: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        return vectors
