"""tests/ mirrors the library: every module has its test module at the mirrored path."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: Module -> where it is tested instead, or why it is not.
EXEMPT = {
    "cli/conversion.py": "tests/cli/test_main.py",
    "formats/__main__.py": "tests/cli/test_main.py",
    "formats/ops/opage_rows.py": "tests/formats/ops/test_opages.py",  # rows of opages
    "formats/ops/opname_rows.py": "tests/formats/surgery/test_audit_ops.py",  # rows of audit_ops
    "formats/ops/opdef_rows.py": "tests/formats/ops/test_opdefs.py",  # rows of opdefs
    # Rules of shapes, each family beside the others; one table tests them all.
    "formats/ops/shape_arrange.py": "tests/formats/ops/test_shapes.py",
    "formats/ops/shape_core.py": "tests/formats/ops/test_shapes.py",
    "formats/ops/shape_elementwise.py": "tests/formats/ops/test_shapes.py",
    "formats/ops/shape_flow.py": "tests/formats/ops/test_shapes.py",
    "formats/ops/shape_rules.py": "tests/formats/ops/test_shapes.py",
    "formats/ops/shape_slices.py": "tests/formats/ops/test_shapes.py",
    "formats/ops/shape_strings.py": "tests/formats/ops/test_shapes.py",
    "formats/ops/shape_windows.py": "tests/formats/ops/test_shapes.py",
}
MODULES = sorted(
    str(path.relative_to(ROOT))
    for folder in ("formats", "cli", "proto")
    for path in (ROOT / folder).rglob("*.py")
    if path.name != "__init__.py"
)


def mirrored(module: str) -> str:
    folder, _, name = module.rpartition("/")
    return f"tests/{folder}/test_{name}"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_its_tests(module: str) -> None:
    place = ROOT / EXEMPT.get(module, mirrored(module))
    assert place.is_file()
    assert "def test_" in place.read_text()


def test_exemptions_are_still_needed() -> None:
    assert [m for m in EXEMPT if m not in MODULES] == []
    assert [m for m in EXEMPT if (ROOT / mirrored(m)).exists()] == []


def test_no_test_module_is_a_package() -> None:
    """With --import-mode=importlib an __init__.py would only invite imports between tests."""
    assert list((ROOT / "tests").rglob("__init__.py")) == []
