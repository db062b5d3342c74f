import numpy as np
import pytest
from frames import scenery

from birdfield.signals.damage import DAMAGES, damage_image
from birdfield.signals.usability import frame_fault


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_seeded_and_does_not_change_its_input(kind: str) -> None:
    frame = scenery(0)
    before = frame.copy()
    damaged = damage_image(frame, kind, rng(1))
    assert np.array_equal(frame, before)
    assert damaged.shape == frame.shape and damaged.dtype == np.uint8
    assert np.array_equal(damaged, damage_image(frame, kind, rng(1)))
    assert np.array_equal(damaged, frame) == (kind == "clean")
    if kind in ("dark", "half-covered", "rain"):
        assert not np.array_equal(damaged, damage_image(frame, kind, rng(2)))


def test_a_blurred_picture_has_weaker_edges_and_the_same_light() -> None:
    frame = scenery(0)
    blurred = damage_image(frame, "blur", rng()).astype(float)
    assert (
        np.abs(np.diff(blurred, axis=1)).max()
        < np.abs(np.diff(frame.astype(float), axis=1)).max() / 2
    )
    assert blurred.mean() == pytest.approx(frame.mean(), abs=1)


def test_white_falls_to_a_quarter_in_the_dark() -> None:
    """255 * 0.25 = 63.75; grey 128 to 63.75 * (128/255)^1.5 = 22.67; the noise is 4 wide."""
    white = damage_image(np.full((99, 99, 3), 255, np.uint8), "dark", rng())
    grey = damage_image(np.full((99, 99, 3), 128, np.uint8), "dark", rng())
    assert white.mean() == pytest.approx(63.75, abs=0.1) and white.std() == pytest.approx(
        4, abs=0.1
    )
    assert grey.mean() == pytest.approx(22.67, abs=0.1)


def test_a_dim_picture_becomes_too_dark_to_use() -> None:
    """Luma 128 is 22.7 afterwards, below the 24 of a dark frame; luma 250 is 61.9."""
    assert frame_fault(damage_image(scenery(0, (88, 88, 88)), "dark", rng()), 0) == "dark"
    assert frame_fault(damage_image(scenery(0, (200, 200, 200)), "dark", rng()), 0) is None


@pytest.mark.parametrize("seed", range(5))
def test_half_of_a_picture_is_covered_in_its_mean_colour(seed: int) -> None:
    frame = scenery(0)
    covered = damage_image(frame, "half-covered", rng(seed))
    mean = frame.reshape(-1, 3).mean(axis=0).astype(np.uint8)
    hidden = (covered == mean).all(axis=-1)
    assert hidden.mean() == pytest.approx(0.5, abs=0.03)
    assert np.array_equal(covered[~hidden], frame[~hidden])


def test_rain_changes_some_of_a_picture_of_any_size() -> None:
    for factor in (1, 5):
        frame = np.repeat(np.repeat(scenery(0), factor, axis=0), factor, axis=1)
        changed = (damage_image(frame, "rain", rng()) != frame).any(axis=-1).mean()
        assert 0.1 < changed < 0.6


def test_an_unknown_damage_is_refused() -> None:
    with pytest.raises(ValueError, match="no damage 'mud'; expected one of clean, blur, dark, ha"):
        damage_image(scenery(0), "mud", rng())
