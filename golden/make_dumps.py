"""Rewrite the dump.txt of every golden case, as `fmt dump` prints it: `make golden`.

Run from anywhere. The diff that it leaves is reviewed like code.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

GOLDEN = Path(__file__).parent


def models() -> list[Path]:
    """What is opened in every case, by its provenance: a file, a folder or a prefix."""
    found = []
    for provenance in sorted(GOLDEN.glob("*/*/provenance.toml")):
        stated = re.search('^model = "(.+)"$', provenance.read_text(), re.MULTILINE)
        if stated is None:
            raise SystemExit(f"{provenance}: states no model")
        found.append(provenance.parent / stated[1])
    return found


def main() -> int:
    """Dump every case from within its own folder, so that no path shows; 1 if one cannot be."""
    failed = 0
    for model in models():
        case = model.parent
        command = [sys.executable, "-m", "modelfmt", "dump", model.name]
        done = subprocess.run(command, cwd=case, capture_output=True, check=False)
        if done.returncode:
            failed = 1
            print(f"{case.relative_to(GOLDEN)}: {done.stderr.decode().strip()}", file=sys.stderr)
            continue
        text = case / "dump.txt"
        if not text.exists() or text.read_bytes() != done.stdout:
            text.write_bytes(done.stdout)
            print(f"changed: {text.relative_to(GOLDEN)}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
