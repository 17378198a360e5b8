"""Finding the files a module needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpgaq.errors import ConfigError
from fpgaq.synth._sources import Sources, fingerprint


def files(folder: Path, **texts: str) -> list[Path]:
    paths = []
    for name, text in texts.items():
        paths.append(folder / f"{name}.sv")
        paths[-1].write_text(text)
    return paths


def test_reachable_follows_instances_and_skips_comments(tmp_path: Path) -> None:
    paths = files(
        tmp_path,
        top="module top; // not other\n  mid #(.W(3)) u(); endmodule",
        mid="module mid #(parameter W = 1); leaf u(); /* other */ endmodule",
        leaf="module leaf; endmodule",
        other="module other; endmodule",
    )
    sources = Sources(paths)
    assert [file.path.stem for file in sources.reachable("top")] == ["top", "mid", "leaf"]
    assert [file.path.stem for file in sources.reachable("mid")] == ["mid", "leaf"]


def test_data_files_follow_the_files_that_name_them(tmp_path: Path) -> None:
    paths = files(tmp_path, a='module a; initial $readmemh("w.mem", m); endmodule', b="module b; endmodule")
    data = tmp_path / "w.mem"
    data.write_text("00")
    sources = Sources(paths, [data])
    assert sources.data_of(sources.reachable("a")) == {"w.mem": data}
    assert sources.data_of(sources.reachable("b")) == {}


def test_wrong_sources_are_named(tmp_path: Path) -> None:
    one, two = files(tmp_path, one="module m; endmodule", two="module m; endmodule")
    with pytest.raises(ConfigError, match=r"'m' is defined in .*one\.sv and in .*two\.sv"):
        Sources([one, two])
    with pytest.raises(ConfigError, match=r"'n'.*Modules found: m"):
        Sources([one]).reachable("n")
    with pytest.raises(ConfigError, match="does not exist"):
        Sources([tmp_path / "none.sv"])


def test_fingerprint_sees_content_order_and_facts(tmp_path: Path) -> None:
    one, two = files(tmp_path, one="module a; endmodule", two="module b; endmodule")
    keys = {fingerprint([one, two], [], "f"), fingerprint([two, one], [], "f"), fingerprint([one, two], [], "g")}
    two.write_text("module c; endmodule")
    assert len(keys | {fingerprint([one, two], [], "f")}) == 4
