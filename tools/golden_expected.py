"""Expected outputs of the golden tests: python tools/golden_expected.py.

Runs each command of tests/test_golden.py on the fixtures of version 0.1.0 and writes
tests/golden/expected.json. Run it only when an output changes on purpose, and read the difference.
"""

import json
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from test_golden import CASES, EXPECTED, Place, answer  # noqa: E402


def main() -> None:
    """Write the outputs of the current code."""
    outputs = {}
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            outputs[case.name] = answer(Place(Path(folder)), case)
    EXPECTED.write_text(json.dumps(outputs, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
