"""Pages in a real browser: headless Chromium, told to prefer light or dark, in a frame of a given width."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

# Appended to the page. Facts go to the page around the frame, whose text can be printed.
_PROBE = """<script>
addEventListener("load", () => setTimeout(() => {
  const bars = () => Object.fromEntries([...document.querySelectorAll("[data-chart]")].map(
    (place) => [place.dataset.chart, place.querySelectorAll(".points .point").length]));
  const colour = (selector, what) => {
    const found = document.querySelector(selector);
    return found && getComputedStyle(found)[what];
  };
  const facts = {
    bars: [bars()],
    charts_end: Math.max(0, ...[...document.querySelectorAll(".main-svg")].map((s) => s.getBoundingClientRect().right)),
    width: innerWidth,
    page_width: document.documentElement.scrollWidth,
    paper: colour("body", "backgroundColor"),
    ink: colour("body", "color"),
    chart_ink: colour("[data-chart] .xtick text", "fill"),
    requests: performance.getEntriesByType("resource").map((entry) => entry.name),
    titles: [...document.querySelectorAll("h2")].map((title) => title.textContent),
    cells: [...document.querySelectorAll("td")].map((cell) => cell.textContent),
    broken_links: [...document.querySelectorAll('a[href^="#"]')].filter(
      (link) => !document.getElementById(link.getAttribute("href").slice(1))).length,
    unfocusable: [...document.querySelectorAll("a, summary, select, .scroll")].filter(
      (element) => element.checkVisibility() && (element.focus(), document.activeElement !== element)).length,
  };
  for (const choice of document.querySelectorAll("select"))
    for (let k = 1; k < choice.options.length; k++) {
      choice.selectedIndex = k;
      choice.dispatchEvent(new Event("change"));
      facts.bars.push(bars());
    }
  parent.postMessage(JSON.stringify(facts), "*");
}, 300));
</script>"""

_FRAME = """<!DOCTYPE html><body style="margin:0">
<iframe src="{page}" style="width:{width}px;height:900px;border:0"></iframe><pre id="facts"></pre>
<script>onmessage = (event) => {{ document.getElementById("facts").textContent = event.data; }};</script>"""


class Visit(NamedTuple):
    """What a page looked like after its scripts ran, and what it said on the console."""

    facts: dict[str, Any]
    console: list[str]


def visit(page: Path, folder: Path, *, dark: bool = False, width: int = 1200) -> Visit:
    """Open a page; the test is skipped where there is no Chromium, but fails there in CI."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        reason = "no Chromium on PATH (apt-get install chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    folder.mkdir(exist_ok=True)
    text = page.read_text(encoding="utf-8")
    assert text.count("</body>") == 1
    (folder / "probed.html").write_text(text.replace("</body>", f"{_PROBE}</body>"), encoding="utf-8")
    (folder / "frame.html").write_text(_FRAME.format(page="probed.html", width=width))
    run = subprocess.run(
        [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            f"--user-data-dir={folder / 'profile'}",
            f"--window-size={width + 100},1000",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--enable-logging=stderr",
            "--virtual-time-budget=20000",
            "--dump-dom",
            (folder / "frame.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found = re.search(r'<pre id="facts">(.+?)</pre>', run.stdout, re.DOTALL)
    assert found, run.stderr[-2000:]
    return Visit(json.loads(html.unescape(found[1])), [line for line in run.stderr.splitlines() if "CONSOLE" in line])
