"""The oracle's bench: genuine frameworks make models, modelfmt converts, the frameworks judge.

Keras 3 and tf_keras cannot share a process, and a crash of theirs is no crash of ours: each batch
is one child process for each framework (frameworks.py).
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

import modelfmt

HERE = Path(__file__).parent
#: Relative to the largest value of an output.
RTOL = 1e-5


@dataclasses.dataclass
class Verdict:
    """One conversion of one model, and what the framework says of it."""

    model: str
    route: str
    path: Path
    refused: str = ""
    raised: str = ""
    error: float = 0.0
    weights_equal: bool = True
    tolerance: float = RTOL

    @property
    def agrees(self) -> bool:
        close = self.error <= self.tolerance
        return not (self.refused or self.raised) and close and self.weights_equal

    @property
    def agrees_in_numbers(self) -> bool:
        """Whether the outputs are equal; a gate's weights may have taken a factor."""
        return not (self.refused or self.raised) and self.error <= self.tolerance

    def __str__(self) -> str:
        why = self.refused or self.raised or f"error {self.error:.3g}"
        return f"{self.model} {self.route}: {why}{'' if self.weights_equal else ', other weights'}"


#: From which file, to which file, and the Keras major that judges: each framework's routes.
ROUTES: dict[int, list[tuple[str, str, int]]] = {
    3: [("h5", "pb", 3), ("keras", "pb", 3), ("pb", "h5", 3), ("pb", "keras", 3), ("pb", "h5", 2)],
    2: [("h5", "pb", 2), ("pb", "h5", 2), ("pb", "h5", 3), ("pb", "keras", 3)],
}


class Bench:
    """A folder in which one framework's models are made, converted and judged."""

    def __init__(self, folder: Path, major: int) -> None:
        self.folder, self.major = folder, major
        self.routes = ROUTES[major]
        self.models: dict[str, dict[str, Any]] = {}
        #: What modelfmt.convert is told beside the files.
        self.options: dict[str, Any] = {}

    def make(
        self, module: str, *, freeze: bool = True, some: int = 0, archive: bool = False,
        lower: bool = True,
        **arguments: Any,
    ) -> None:
        """Have the framework build, save and freeze what ``module`` yields."""
        task = {
            "make": module, "arguments": arguments, "folder": str(self.folder), "freeze": freeze,
            "some": some, "archive": archive, "lower": lower,
        }  # fmt: skip
        self.models = child(self.major, task, self.folder / f"make{self.major}.json")

    def convert(self, routes: Iterable[tuple[str, str, int]] | None = None) -> list[Verdict]:
        """Convert every model by every route and have the results judged."""
        verdicts: dict[int, list[tuple[Verdict, dict[str, Any]]]] = {2: [], 3: []}
        refused: list[Verdict] = []
        for name, info in self.models.items():
            if "raised" in info:
                raise AssertionError(f"the framework cannot make {name}: {info['raised']}")
            for before, after, judge in routes or self.routes:
                if before not in (*info.get("kinds", ()), *(["pb"] if info["frozen"] else [])):
                    continue
                verdict, task = self._one(name, info, before, after, judge)
                if verdict.refused:
                    refused.append(verdict)
                else:
                    verdicts[judge].append((verdict, task))
        for judge, rows in verdicts.items():
            if rows:
                self._judge(judge, rows)
        return [*refused, *(verdict for rows in verdicts.values() for verdict, _ in rows)]

    def as_they_are(self, kind: str, judge: int) -> list[str]:
        """What Keras ``judge`` makes of each file unconverted: agrees, differs or raises."""
        tasks = [
            {"path": str(self.folder / f"{name}.{kind}"), "kind": kind, "compile": True,
             "arrays": str(self.folder / f"{name}.npz"), "inputs": info["inputs"], "fetch": []}
            for name, info in self.models.items()
        ]  # fmt: skip
        found = child(judge, {"judge": tasks}, self.folder / f"as_they_are.{kind}.json")
        return [
            "raises" if "raised" in row
            else "agrees" if row["error"] <= (info.get("tolerance") or RTOL) else "differs"
            for row, info in zip(found, self.models.values(), strict=True)
        ]  # fmt: skip

    def _one(
        self, name: str, info: dict[str, Any], before: str, after: str, judge: int
    ) -> tuple[Verdict, dict[str, Any]]:
        made = self.folder / f"{name}.from_{before}.{judge}.{after}"
        route = f"keras{self.major} {before}->{after}" + (
            f" for keras{judge}" if judge != self.major else ""
        )
        verdict = Verdict(name, route, made, tolerance=info.get("tolerance") or RTOL)
        task = {
            "path": str(made), "kind": "graphdef" if after == "pb" else after,
            "arrays": str(self.folder / f"{name}.npz"), "inputs": info["inputs"], "fetch": [],
        }
        try:
            modelfmt.convert(self.folder / f"{name}.{before}", made, keras=judge, **self.options)
        except modelfmt.ModelFormatError as error:
            verdict.refused = f"{type(error).__name__}: {error}"
            return verdict, task
        if after == "pb":
            task["fetch"] = [row["name"] for row in modelfmt.dump(made)["outputs"]]
        return verdict, task

    def _judge(self, judge: int, rows: list[tuple[Verdict, dict[str, Any]]]) -> None:
        tasks = {"judge": [task for _, task in rows]}
        found = child(judge, tasks, self.folder / f"judge{self.major}{judge}.json")
        for (verdict, _), result in zip(rows, found, strict=True):
            verdict.raised, verdict.error = result.get("raised", ""), result.get("error", 0.0)
            if "weights" in result:
                wanted = self.models[verdict.model]["weights"]
                verdict.weights_equal = result["weights"] == wanted


def child(major: int, task: dict[str, Any], path: Path) -> Any:
    """Run frameworks.py for one task; its result."""
    path.write_text(json.dumps(task))
    command = [sys.executable, str(HERE / "frameworks.py"), str(major), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3000, check=False)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return json.loads(Path(f"{path}.out").read_text())


@pytest.fixture
def bench(tmp_path: Path) -> Callable[[int], Bench]:
    """A Bench for Keras ``major`` in a folder of its own."""
    return lambda major: Bench(tmp_path, major)
