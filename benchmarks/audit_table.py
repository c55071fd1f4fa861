"""What `fmt audit` finds in the hostile set of tests/hostile/test_audit.py, beside modelscan.

    python benchmarks/audit_table.py [PATH/TO/modelscan]

modelscan is another package with dependencies of its own: install it in an environment of its own,
with h5py and tensorflow for all of its scanners.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

from modelfmt.surgery.audit import examine

ROOT = Path(__file__).parents[1]


def plants() -> dict[str, object]:
    """The table of the tests."""
    place = ROOT / "tests/hostile/test_audit.py"
    spec = importlib.util.spec_from_file_location("hostile_set", place)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, object] = module.PLANTS
    return found


def theirs(scanner: str, path: Path) -> str:
    """What modelscan says of a file: its exit status is 1 for findings, 2 and more for failures."""
    done = subprocess.run(
        [scanner, "scan", "-p", str(path)], capture_output=True, text=True, check=False
    )
    if done.returncode == 1:
        return "found"
    if done.returncode > 1:
        return "not scanned"
    return "silent, skipped" if "skipped" in done.stdout.lower() else "silent"


def main() -> None:
    """Print the table."""
    scanner = sys.argv[1] if len(sys.argv) > 1 else None
    totals = {"ours": 0, "false": 0, "theirs": 0, "their false": 0}
    print(f"{'plant':36} {'ours':10} {'twin':8} {'modelscan':16} {'twin':16}")
    for name, (make, *_) in plants().items():  # type: ignore[misc]
        row = []
        for evil in (True, False):
            with tempfile.TemporaryDirectory() as folder:
                path = make(Path(folder), evil)
                risks = examine(str(path))
                row.append(risks[0].severity if risks else "silent")
                row.append(theirs(scanner, path) if scanner else "-")
        totals["ours"] += row[0] != "silent"
        totals["false"] += row[2] != "silent"
        totals["theirs"] += row[1] == "found"
        totals["their false"] += row[3] == "found"
        print(f"{name:36} {row[0]:10} {row[2]:8} {row[1]:16} {row[3]:16}")
    print(totals)


if __name__ == "__main__":
    main()
