from __future__ import annotations

import pytest
import torch

from phrasebox.errors import SettingsError
from phrasebox.training.execution import PLAIN, Execution


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GB", 4 * 10**9), ("512 MiB", 2**29), ("1.5k", 1500), ("100", 100), ("2TB", 2 * 10**12), (" 7 b ", 7)],
)
def test_sizes(text, size):
    assert Execution(memory=text).memory == size


@pytest.mark.parametrize("text", ["", "GB", "4 X", "-1GB", "nan", "1 GB 2", "1GB2", "1 2"])
def test_what_is_no_size(text):
    with pytest.raises(SettingsError, match="memory must be a size such as 4GB"):
        Execution(memory=text)


def test_parts_are_all_rows_in_order():
    assert [range(20)[part] for part in Execution(micro_batch=3).parts(slice(2, 10))] == [
        range(2, 5),
        range(5, 8),
        range(8, 10),
    ]
    assert PLAIN.parts(slice(2, 10)) == [slice(2, 10)]
    assert Execution(micro_batch=3).parts(slice(4, 4)) == [slice(4, 4)]


def test_a_limit_is_kept_and_by_default_is_what_the_machine_has():
    assert Execution(memory=100).fits(100)
    assert not Execution(memory=100).fits(101)
    assert PLAIN.fits(1000)
    assert not PLAIN.fits(2**60)


def test_only_a_gpu_scales_losses():
    assert not Execution(precision="fp16").scaler("cpu").is_enabled()
    assert not Execution(precision="bf16").scaler("cuda").is_enabled()
    loss = torch.ones(())
    assert Execution(precision="fp16").scaler("cpu").scale(loss) is loss


def test_only_precision_is_part_of_what_a_training_is():
    assert Execution(micro_batch=4, compile=True, memory=5).identity == PLAIN.identity == []
    assert Execution(precision="bf16").identity == ["bf16"]


@pytest.mark.parametrize("wrong", [{"micro_batch": -1}, {"precision": "fp8"}])
def test_settings_out_of_range(wrong):
    with pytest.raises(SettingsError):
        Execution(**wrong)
