"""What g++ compiles in place of the written C++: the same numbers in tables; what is not recognized stays."""

from __future__ import annotations

import re
from pathlib import Path

import keras
import pytest
from keras_models import dense, lowered, sequential
from spatial_models import conv

from fpgaq.design import Design
from fpgaq.hls.compilable import compilable

L = keras.layers


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Design:
    """Windows on images and on a series, each with a margin, and a vector."""
    layers = [
        conv(2, (3, 2), padding="same", name="image"),
        L.Reshape((12, 2)),
        conv(3, 2, padding="same", dilation_rate=2, name="series"),
        L.Flatten(),
        dense(3, name="fc"),
    ]
    found = lowered(sequential(*layers, inputs=(3, 4, 1)), folder=tmp_path_factory.mktemp("hls"))
    found.write_software()
    return found


def test_nothing_is_left_that_takes_a_statement_for_a_number(design: Design, tmp_path: Path) -> None:
    project = design.folder / "hls"
    sources = compilable(project, tmp_path, design.name)
    assert [path.name for path in sources] == [f"{design.name}.cpp", f"{design.name}_bridge.cpp"]
    for path in sorted((project / "firmware" / "weights").glob("*.h")):
        (values,) = re.findall(r"\[\d+\] = (\{.*?\});", path.read_text())
        made = (tmp_path / "firmware" / "weights" / path.name).read_text()
        assert f"_values[{values.count(',') + 1}] = {values};" in made
        assert made.count(values) == 1
    written = (project / "firmware" / "nnet_utils" / "nnet_code_gen.h").read_text()
    made = (tmp_path / "firmware" / "nnet_utils" / "nnet_code_gen.h").read_text()
    assert written.count("partition == ") == 24
    assert "partition == " not in made
    for statements in re.findall(r"if \(partition == +\d+\) \{([^}]*)\}", written):
        row = [index or "-1" for index in re.findall(r"= +(?:data\[(\d+)\]|0);", statements)]
        assert "{" + ",".join(row) + "}" in made
    assert made.count("{-1,") > 3  # margins


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r"partition ==   2\b", "partition ==   7"),
        (r"buffer\[0\]\[1\] =( +)0;", r"buffer[0][3] =\g<1>0;"),
        (r"buffer\[0\]\[1\] = +0;", "buffer[0][1] = data[1] + 0;"),
    ],
    ids=["another order", "another place", "another value"],
)
def test_other_statements_stay_as_they_are(design: Design, tmp_path: Path, old: str, new: str) -> None:
    project = tmp_path / "project"
    (project / "firmware" / "nnet_utils").mkdir(parents=True)
    (project / f"{design.name}_bridge.cpp").write_text("")
    written = (design.folder / "hls" / "firmware" / "nnet_utils" / "nnet_code_gen.h").read_text()
    changed, count = re.subn(old, new, written, count=1)
    assert count == 1
    (project / "firmware" / "nnet_utils" / "nnet_code_gen.h").write_text(changed)
    compilable(project, tmp_path / "made", design.name)
    made = (tmp_path / "made" / "firmware" / "nnet_utils" / "nnet_code_gen.h").read_text()
    assert made.count("partition == ") == 12  # those of the other layer are in a table
    assert new.replace(r"\g<1>", "          ") in made


def test_another_element_of_a_window_is_another_number_in_the_table(design: Design, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "firmware" / "nnet_utils").mkdir(parents=True)
    (project / f"{design.name}_bridge.cpp").write_text("")
    made = []
    for k, change in enumerate((lambda text: text, lambda text: text.replace("data[5]", "data[6]", 1))):
        text = change((design.folder / "hls" / "firmware" / "nnet_utils" / "nnet_code_gen.h").read_text())
        (project / "firmware" / "nnet_utils" / "nnet_code_gen.h").write_text(text)
        compilable(project, tmp_path / str(k), design.name)
        made.append((tmp_path / str(k) / "firmware" / "nnet_utils" / "nnet_code_gen.h").read_text())
    differing = [(a, b) for a, b in zip(*(m.splitlines() for m in made), strict=True) if a != b]
    assert len(differing) == 1
    assert len(differing[0][0]) == len(differing[0][1])
