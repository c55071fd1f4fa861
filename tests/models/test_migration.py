"""Files of tf_keras made files of Keras 3: modelfmt converts, Keras 3 loads and judges.

Beside it, what Keras 3 makes of the files as they are.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

pytestmark = [pytest.mark.oracle, pytest.mark.slow]

#: What Keras 3 cannot have: classes that it lacks, and code that is not to be run.
REFUSED = re.compile("Keras 3 has no layer LocallyConnected[12]D|a Lambda layer holds code")
ROUTES = [("h5", "h5", 3), ("h5", "keras", 3), ("keras", "h5", 3), ("keras", "keras", 3)]


def test_models_of_tf_keras_become_models_of_keras_3(bench: Any) -> None:
    table = bench(2)
    table.make("migration_models", freeze=False, archive=True)
    verdicts = table.convert(ROUTES)
    allowed = [v for v in verdicts if REFUSED.search(v.refused)]
    for route in dict.fromkeys(v.route for v in verdicts):
        rows = [v for v in verdicts if v.route == route]
        agreed = sum(v.agrees_in_numbers for v in rows)
        named = sum(v in allowed for v in rows)
        print(f"{route}: {agreed} agree and {named} are refused by name, of {len(rows)}")
    for kind in ("h5", "keras"):
        found = Counter(table.as_they_are(kind, 3))
        print(f"{kind}, by Keras 3's own loader: {dict(found)} of {found.total()}")
    wrong = [str(v) for v in verdicts if not v.agrees_in_numbers and v not in allowed]
    assert not wrong, "\n".join(wrong)
    assert len(verdicts) == len(ROUTES) * len(table.models)
