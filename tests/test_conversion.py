"""The Python entry point as people type it: a relative folder, used again for another model."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras_models import dense

import fpgaq


@pytest.mark.slow
def test_a_relative_folder_holds_the_last_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    x = np.arange(-8, 8).reshape(4, 4) / 4
    results = []
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        model = keras.Sequential([keras.Input((4,)), dense(3, name="fc")])
        design = fpgaq.convert(model, input_precision="fixed<5,3>", output="build/net")
        assert [gate.mismatches for gate in design.check(x)] == [0, 0, 0]
        results.append(design.csim(x))
        np.testing.assert_array_equal(results[-1], design.rtl(x)[0])
    assert not np.array_equal(*results)
