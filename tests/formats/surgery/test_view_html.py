"""The page: self-contained, hostile names are text, and a browser draws what Python draws."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import modelfmt
from modelfmt.surgery.view_boxes import Box, Picture
from modelfmt.surgery.view_html import embedded, page

ROOT = Path(__file__).parents[3]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
HOSTILE = "</script><script>document.title='run'</script><!--\u2028&amp;"


def hostile() -> Picture:
    inner = [Box("one", f"{HOSTILE}/one", "Conv2D", [HOSTILE]), Box("two", "two", HOSTILE)]
    scope = Box(HOSTILE, HOSTILE, children=inner, details=[(HOSTILE, HOSTILE)])
    last = Box("last", "last", "Dense", ["kernel float32 [7, 9]"])
    return Picture.of(
        HOSTILE, "test", [scope, last], [(inner[0], inner[1], False), (inner[1], last, False)]
    )


def in_browser(file: Path, folder: Path, fragment: str = "") -> str:
    """The document as it stands when its script has run."""
    assert CHROMIUM is not None
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={folder}", "--dump-dom", f"file://{file}{fragment}",
        ],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return done.stdout


def test_hostile_names_are_text() -> None:
    text = page(hostile(), {0})
    assert text.count("<script") == 2 and text.count("</script>") == 2 and "<!--" not in text
    data = re.search(r'id="model">(.*?)</script>', text, re.DOTALL)
    assert data is not None
    model = json.loads(data[1])
    assert model["boxes"][0][3] == HOSTILE and model["opened"] == [0]
    assert set(model["plans"]) == {"-1", "0"}


def test_it_asks_for_nothing() -> None:
    text = page(hostile(), set())
    assert "default-src 'none'" in text
    assert not re.findall(r"(?:src|href)=|url\((?!#)|@import|fetch\(", text)
    assert set(re.findall(r"https?://[^\"']*", text)) == {"http://www.w3.org/2000/svg"}


def test_embedded_json_is_json() -> None:
    assert json.loads(embedded({"a": HOSTILE})) == {"a": HOSTILE}
    assert "<" not in embedded(HOSTILE)


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_a_browser_unfolds_and_searches(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(page(hostile(), set()), encoding="utf-8")
    drawn = in_browser(file, tmp_path / "profile", "#unfold")
    body = drawn.partition("<main>")[2].partition("</main>")[0]
    assert re.findall(r'data-id="(\d)"', body) == ["0", "1", "2", "3"]
    assert "<title>run</title>" not in drawn
    clicks = """<script>
      const click = id => document.querySelector(`[data-id="${id}"] rect`)
        .dispatchEvent(new MouseEvent("click", {bubbles: true}));
      click(0); click(1);
    </script></body>"""
    clicked = tmp_path / "clicked.html"
    clicked.write_text(file.read_text("utf-8").replace("</body>", clicks), encoding="utf-8")
    drawn = in_browser(clicked, tmp_path / "profile")
    assert re.search(r'class="box scope" data-id="0"', drawn)
    assert re.search(r'class="box f-conv chosen" data-id="1"', drawn)
    assert "<dd>Conv2D</dd>" in drawn
    drawn = in_browser(file, tmp_path / "profile", "#search=two")
    assert re.search(r'class="box scope" data-id="0"', drawn)  # unfolded, so no longer a hit
    assert re.search(r'class="box f- hit chosen" data-id="2"', drawn)
    drawn = in_browser(file, tmp_path / "profile", "#search=%5B7%2C%209")
    assert "1 found" in drawn and "float32 [7, 9]" in drawn
    assert re.search(r'class="box f-dense hit chosen" data-id="3"', drawn)


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_the_script_draws_what_python_draws(tmp_path: Path) -> None:
    """Twins: all unfolded, by the browser and by us, everything stands in the same place."""
    model = ROOT / "golden/graphdef/tfkeras-tf2.15.1-multi_input/model.pb"
    modelfmt.view(model, tmp_path / "folded.html", depth=0)
    modelfmt.view(model, tmp_path / "unfolded.html", depth=99)
    pattern = r'data-id="(\d+)".*?<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)"'
    ours = re.findall(pattern, (tmp_path / "unfolded.html").read_text(), re.DOTALL)
    drawn = in_browser(tmp_path / "folded.html", tmp_path / "profile", "#unfold")
    theirs = re.findall(pattern, drawn, re.DOTALL)
    assert len(ours) > 10
    assert [[float(n) for n in row] for row in theirs] == [
        pytest.approx([float(n) for n in row], abs=0.06) for row in ours
    ]
