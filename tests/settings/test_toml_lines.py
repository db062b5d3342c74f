"""The lines of keys in a TOML file."""

from birdfield.settings.toml_lines import key_lines


def test_each_statement_has_its_line() -> None:
    lines = key_lines('# x\n[a]\nb = [\n  1,\n]\n\n[c."d e"]\nf = """\n[g]\n"""\nh.i = 1\n')
    assert lines == {
        ("a",): 2,
        ("a", "b"): 3,
        ("c", "d e"): 7,
        ("c", "d e", "f"): 8,
        ("c", "d e", "h"): 11,
        ("c", "d e", "h", "i"): 11,
    }
