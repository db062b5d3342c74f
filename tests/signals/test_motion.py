import cv2
import numpy as np
import pytest

from birdfield.signals.motion import (
    LOOK_INTERVAL_S,
    NEW_SCENE,
    NO_MOTION,
    STAY_S,
    MotionGate,
    largest_moving_part,
)

WIDTH, HEIGHT = 480, 270

LEAVES = (20, 150, 120, 100)  # left, top, width and height


class Garden:
    """A scene of bushes made by code, 480 x 270, with a sensor's noise."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(7)
        coarse = self._rng.uniform(60, 190, (18, 32, 3)).astype(np.float32)
        self.picture = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)

    def shoot(self, picture: np.ndarray | None = None) -> np.ndarray:
        clear = self.picture if picture is None else picture
        noisy = clear + self._rng.normal(0, 3, clear.shape)
        return np.clip(noisy, 0, 255).astype(np.uint8)

    def with_bird(
        self, centre: tuple[int, int], size_px: int, picture: np.ndarray | None = None
    ) -> np.ndarray:
        seen = (self.picture if picture is None else picture).copy()
        cv2.ellipse(seen, centre, (size_px // 2, size_px // 3), 20, 0, 360, (30, 25, 20), -1)
        return seen

    def swaying(self, time_s: float) -> np.ndarray:
        """Move the leaves by up to 6 pixels, with a period that is no multiple of 0.5 s."""
        left, top, width, height = LEAVES
        y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
        within = (x >= left) & (x < left + width) & (y >= top) & (y < top + height)
        sway = within * np.float32(6 * np.sin(2 * np.pi * time_s / 1.7))
        return np.asarray(
            cv2.remap(self.picture, x + sway, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        )


@pytest.fixture
def garden() -> Garden:
    return Garden()


@pytest.fixture
def gate(garden: Garden) -> MotionGate:
    """Return a gate that has looked at the still garden for 5 s: its next look is at 5 s."""
    gate = MotionGate()
    motions = [gate.look(garden.shoot(), look * LOOK_INTERVAL_S) for look in range(10)]
    assert motions == [NEW_SCENE, *[NO_MOTION] * 9], (
        "the first look finds all new, noise is no motion"
    )
    return gate


@pytest.mark.parametrize("size_px", [27, 40, 54])
def test_a_bird_is_found_where_it_is_until_it_leaves(
    garden: Garden, gate: MotionGate, size_px: int
) -> None:
    """Birds of 10 to 20 % of the height; the square has the size of the visible part, or 48."""
    for look in range(10):
        shot = garden.shoot(garden.with_bird((300, 120), size_px))
        motion = gate.look(shot, 5 + look * LOOK_INTERVAL_S)
        assert motion.moving and motion.box is not None
        left, top, width, height = motion.box
        assert left < 300 - size_px // 3 and 300 + size_px // 3 < left + width
        assert top < 120 < top + height
        assert width == height and max(0.85 * size_px, 48) <= width <= max(1.5 * size_px, 48)
    assert gate.look(garden.shoot(), 10) == NO_MOTION, "the background has no ghost of the bird"


def test_a_bird_that_stays_becomes_background(garden: Garden, gate: MotionGate) -> None:
    moving = [
        gate.look(garden.shoot(garden.with_bird((300, 120), 54)), 5 + look).moving
        for look in range(46)
    ]
    assert all(moving[: round(STAY_S) - 1]) and not any(moving[round(STAY_S) + 2 :])


def test_a_change_of_light_is_no_motion(garden: Garden, gate: MotionGate) -> None:
    """The exposure changes at once, then a soft shadow covers half of the garden."""
    assert gate.look(garden.shoot(garden.picture * 0.6), 5) == NO_MOTION
    assert gate.look(garden.shoot(garden.picture * 1.2), 5.5) == NO_MOTION
    shade = 1 - 0.5 / (1 + np.exp((np.arange(WIDTH) - WIDTH / 2) / 40))
    shady = garden.picture * shade[:, None]
    assert gate.look(garden.shoot(shady), 6) == NO_MOTION
    assert gate.look(garden.shoot(garden.with_bird((300, 120), 54, shady)), 6.5).moving


def test_swaying_leaves_are_learnt_and_a_bird_beside_them_is_found(garden: Garden) -> None:
    gate = MotionGate()
    moving = [
        gate.look(
            garden.shoot(garden.swaying(look * LOOK_INTERVAL_S)), look * LOOK_INTERVAL_S
        ).moving
        for look in range(56)
    ]
    assert any(moving[1:10]) and not any(moving[40:]), "the flicker is learnt in 20 s"
    swaying = garden.swaying(28)
    assert gate.look(garden.shoot(garden.with_bird((360, 80), 54, swaying)), 28).moving


def test_a_scene_after_a_covered_lens_is_a_new_scene(garden: Garden, gate: MotionGate) -> None:
    assert gate.look(garden.shoot(garden.picture / 60), 5) == NO_MOTION, "too dark to compare"
    assert gate.look(garden.shoot(), 5.5) == NEW_SCENE
    assert gate.look(garden.shoot(), 6) == NO_MOTION
    assert gate.look(garden.shoot(garden.picture[::-1, ::-1]), 6.5) == NEW_SCENE, (
        "the camera turned"
    )
    assert gate.look(garden.shoot(garden.picture[:180, :320]), 7) == NEW_SCENE, "of another size"


def test_the_box_of_the_largest_thing_contains_all_that_differs() -> None:
    """At least 0.00025 x 144 x 256 = 9.2 places move; 2 places lie between the two large parts."""
    moved = np.zeros((144, 256), bool)
    moved[100:102, 30:33] = True
    assert largest_moving_part(moved, moved) is None
    moved[20:26, 50:56] = moved[20:26, 58:62] = True
    differs = moved.copy()
    differs[20:40, 50:62] = True
    left, top, width, height = largest_moving_part(moved, differs) or (0, 0, 0, 0)
    assert (left, top, width, height) == (50, 20, 12, 20)
