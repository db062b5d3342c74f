"""File tables of docs/architecture.md, from the modules' docstrings: python tools/file_tables.py.

Between `<!-- files: FOLDER -->` and `<!-- end -->` the page lists the modules of FOLDER, each with
the first line of its docstring. With --check, exits 1 when the page is not up to date.
"""

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
TABLE = re.compile(r"(<!-- files: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(folder: Path) -> str:
    """Return the table of a folder's modules, in Markdown."""
    rows = [f"| `{path.name}` | {purpose(path)} |" for path in sorted(folder.glob("[!_]*.py"))]
    return "\n".join(["| module | purpose |", "|---|---|", *rows, ""])


def purpose(path: Path) -> str:
    """Return the first line of a module's docstring, without its full stop."""
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    return docstring.split("\n\n")[0].replace("\n", " ").removesuffix(".").replace("|", "\\|")


def main() -> None:
    """Write the tables, or check them."""
    page = PAGE.read_text()
    made = TABLE.sub(lambda match: match[1] + table(ROOT / match[2]) + match[3], page)
    if "--check" not in sys.argv:
        PAGE.write_text(made)
    elif made != page:
        raise SystemExit(f"{PAGE.relative_to(ROOT)} is out of date; run {Path(__file__).name}")


if __name__ == "__main__":
    main()
