"""The pictures of a run."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from birdfield_train.curves import draw_confusion


@pytest.mark.parametrize(("species", "side"), [(6, 4.0), (100, 26.0), (1000, 40.0)])
def test_a_picture_of_very_many_species_stays_one_that_fits_into_memory(
    species: int, side: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0.24 inches a species and 2 around them, 4 at least: 1000 such would take some 26 GB."""
    sizes = []
    monkeypatch.setattr(
        Figure, "savefig", lambda figure, *_, **__: sizes.append(figure.get_size_inches())
    )
    answers = np.arange(species)
    draw_confusion((answers, answers), [f"Bird {row}" for row in answers], Path("unused.png"))
    assert sizes[0] == pytest.approx([side + 1, side])


def test_a_name_with_dollar_signs_is_no_formula(tmp_path: Path) -> None:
    """Between two `$` matplotlib reads mathematics; `\\frac{` is a fraction without its parts."""
    answers = np.arange(2)
    draw_confusion((answers, answers), ["Wren", "$\\frac{$"], tmp_path / "confusion.png")
    assert (tmp_path / "confusion.png").exists()


def test_names_in_a_script_that_the_font_lacks_are_told_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """matplotlib warns of each character and each drawing of it; four differ here."""
    answers = np.arange(2)
    draw_confusion((answers, answers), ["雀", "四十雀鳥"], tmp_path / "confusion.png")
    assert caplog.messages == [
        f"{tmp_path}/confusion.png: no font for some names; their characters are boxes"
    ]
