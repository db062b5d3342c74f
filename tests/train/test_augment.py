import numpy as np
import pytest
from frames import scenery

from birdfield.signals.damage import DAMAGES, damage_image
from birdfield.signals.image import Frame
from birdfield_train import augment as module
from birdfield_train.augment import (
    DAMAGED_SHARE,
    LIGHT_RANGE,
    MAX_STRETCH,
    MIN_CROP_AREA,
    SMALL_SHARE,
    augment,
)

FRAME = scenery(0)  # 96 x 128


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Views that are only cropped, mirrored and in other light."""
    monkeypatch.setattr(module, "SMALL_SHARE", 0)
    monkeypatch.setattr(module, "DAMAGED_SHARE", 0)
    return monkeypatch


def test_views_are_seeded_and_do_not_change_the_photograph() -> None:
    before = FRAME.copy()
    for seed in range(20):
        view = augment(FRAME, rng(seed))
        assert np.array_equal(view, augment(FRAME, rng(seed)))
        assert np.array_equal(FRAME, before) and not np.shares_memory(view, FRAME)
        assert view.dtype == np.uint8 and view.flags.c_contiguous
    assert not np.array_equal(augment(FRAME, rng(1)), augment(FRAME, rng(2)))


def test_one_generator_draws_another_view_each_time() -> None:
    generator = rng()
    views = [augment(FRAME, generator).tobytes() for _ in range(8)]
    assert len(set(views)) == 8


def test_a_crop_keeps_most_of_the_photograph_and_about_its_shape(plain: pytest.MonkeyPatch) -> None:
    """Each side is rounded to a pixel, and limited to the photograph."""
    for seed in range(50):
        height, width, channels = augment(FRAME, rng(seed)).shape
        assert channels == 3 and height <= 96 and width <= 128
        area = height * width / (96 * 128)
        assert area > MIN_CROP_AREA * np.exp(-MAX_STRETCH) - 0.02
        assert abs(np.log(height / width * 128 / 96)) <= 2 * MAX_STRETCH + 0.03


def test_about_half_of_the_views_are_mirrored(plain: pytest.MonkeyPatch) -> None:
    """A ramp that rises to the right falls to the right in a mirrored view."""
    ramp = np.repeat(np.arange(0, 200, 2, dtype=np.uint8)[None, :, None], 80, axis=0)
    frame = np.repeat(ramp, 3, axis=2)
    rises = [
        view[:, -1].mean() > view[:, 0].mean()
        for view in (augment(frame, rng(seed)) for seed in range(100))
    ]
    assert 30 <= sum(rises) <= 70


def test_light_changes_within_its_range(plain: pytest.MonkeyPatch) -> None:
    """An even grey has neither contrast nor colour, so only its brightness changes."""
    grey = np.full((20, 20, 3), 120, np.uint8)
    levels = [augment(grey, rng(seed)) for seed in range(60)]
    assert all(view.std() == 0 for view in levels)
    means = np.array([view.mean() for view in levels])
    assert means.min() >= 120 * (1 - LIGHT_RANGE) - 1 and means.max() <= 120 * (1 + LIGHT_RANGE)
    assert np.ptp(means) > 120 * LIGHT_RANGE


def test_a_small_bird_is_in_a_frame_of_the_same_size(plain: pytest.MonkeyPatch) -> None:
    """The crop is drawn first, so that it is the same with and without shrinking."""
    for seed in range(30):
        plain.setattr(module, "SMALL_SHARE", 0)
        whole = augment(FRAME, rng(seed))
        plain.setattr(module, "SMALL_SHARE", 1)
        small = augment(FRAME, rng(seed))
        assert small.shape == whole.shape
        assert not np.array_equal(small, whole)


def test_all_kinds_of_views_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """300 views have each damage but "clean", in the given shares."""
    damaged: list[str] = []
    small: list[Frame] = []
    shrink = module._shrink

    def count_damage(frame: Frame, kind: str, generator: np.random.Generator) -> Frame:
        damaged.append(kind)
        return damage_image(frame, kind, generator)

    def count_small(frame: Frame, generator: np.random.Generator) -> Frame:
        small.append(frame)
        return shrink(frame, generator)

    monkeypatch.setattr(module, "damage_image", count_damage)
    monkeypatch.setattr(module, "_shrink", count_small)
    for seed in range(300):
        augment(FRAME[::4, ::4], rng(seed))
    assert set(damaged) == set(DAMAGES) - {"clean"}
    assert len(damaged) / 300 == pytest.approx(DAMAGED_SHARE, abs=0.1)
    assert len(small) / 300 == pytest.approx(SMALL_SHARE, abs=0.1)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (2, 2), (3, 40)])
def test_a_tiny_picture_has_views(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SMALL_SHARE", 0.5)
    monkeypatch.setattr(module, "DAMAGED_SHARE", 0.8)
    frame = rng().integers(0, 256, (*shape, 3)).astype(np.uint8)
    for seed in range(40):
        view = augment(frame, rng(seed))
        assert view.ndim == 3 and view.size and view.dtype == np.uint8
        assert view.shape[0] <= shape[0] and view.shape[1] <= shape[1]
