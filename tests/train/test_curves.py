from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from birdfield_train.curves import draw_confusion


@pytest.mark.slow
@pytest.mark.parametrize(("species", "side"), [(6, 4.0), (100, 26.0), (1000, 40.0)])
def test_the_picture_of_very_many_species_has_a_limited_size(
    species: int, side: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0.24 inches per species and a margin of 2, at least 4; without a limit, 1000 need 26 GB."""
    sizes = []
    monkeypatch.setattr(
        Figure, "savefig", lambda figure, *_, **__: sizes.append(figure.get_size_inches())
    )
    answers = np.arange(species)
    draw_confusion((answers, answers), [f"Bird {row}" for row in answers], Path("unused.png"))
    assert sizes[0] == pytest.approx([side + 1, side])


def test_dollar_signs_in_a_name_are_not_mathematics(tmp_path: Path) -> None:
    """Matplotlib would parse the text between two `$`, and fail at `\\frac{`."""
    answers = np.arange(2)
    draw_confusion((answers, answers), ["Wren", "$\\frac{$"], tmp_path / "confusion.png")
    assert (tmp_path / "confusion.png").exists()


def test_missing_characters_are_logged_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Matplotlib warns of each of the four different characters, each time it is drawn."""
    answers = np.arange(2)
    draw_confusion((answers, answers), ["雀", "四十雀鳥"], tmp_path / "confusion.png")
    assert caplog.messages == [
        f"{tmp_path}/confusion.png: no font for some names; their characters are boxes"
    ]
