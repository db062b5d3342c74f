import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from frames import scenery

from birdfield.capture.camera import open_camera
from birdfield.capture.video_file import VideoFile
from birdfield.errors import InputError
from birdfield.signals.boxes import crop, parse_box


def write_video(path: Path, frames: list[np.ndarray], fps: float = 10) -> Path:
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (width, height))
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


def test_a_file_returns_the_last_examined_frame_of_a_window(tmp_path: Path) -> None:
    """30 different frames, 10 a second; looks are at frames 0, 5 ... 25."""
    frames = [scenery(seed) for seed in range(30)]
    video = VideoFile(write_video(tmp_path / "scène 1:2.avi", frames))
    for (start_s, end_s), expected in {(0.0, 1.0): 5, (0.55, 2.05): 20, (1.5, 2.95): 25}.items():
        shot = video.best_shot(start_s, end_s)
        assert shot is not None and shot.time_s == pytest.approx(expected / 10)
        assert np.abs(shot.frame.astype(int) - frames[expected]).mean() < 5  # JPEG's loss
    assert video.ended and video.end_s == pytest.approx(3.0)
    kept = video.best_shot(2.85, 9.0)
    assert kept is not None and kept.time_s == pytest.approx(2.9)
    assert video.best_shot(2.95, 9.0) is None


def test_a_file_ends_when_its_last_frame_was_asked_for(tmp_path: Path) -> None:
    video = VideoFile(write_video(tmp_path / "a.avi", [scenery(seed) for seed in range(5)]))
    video.best_shot(0.0, 0.35)
    assert not video.ended
    video.best_shot(0.0, 0.45)
    assert video.ended
    video.close()


def test_a_file_measures_how_long_its_picture_is_unchanged(tmp_path: Path) -> None:
    """Frames 0-9 differ, and frames 10-29 repeat frame 9: unchanged for 2.0 s at 2.9 s."""
    frames = [scenery(min(seed, 9)) for seed in range(30)]
    video = VideoFile(write_video(tmp_path / "a.avi", frames))
    before, after = video.best_shot(0, 0.95), video.best_shot(0, 5)
    assert before is not None and before.unchanged_s == 0
    assert after is not None and after.unchanged_s == pytest.approx(2.0)


def test_a_window_shows_what_moved_last(tmp_path: Path) -> None:
    """A disc of 32 px is visible from 3.0 to 3.9 s; looks are at 0, 0.5 ... 3.0, 3.5, 4.0 s."""
    garden = cv2.resize(scenery(0), (320, 240))
    frames = [garden.copy() for _ in range(80)]
    for frame in frames[30:40]:
        cv2.circle(frame, (200, 100), 16, (10, 10, 10), -1)
    video = VideoFile(write_video(tmp_path / "a.avi", frames))
    first, still, bird, later = (
        video.best_shot(start_s, start_s + 2) for start_s in (0, 1, 2.5, 5)
    )
    assert first is not None and not first.still
    assert first.subject.shape == (240, 320, 3), "all of a new scene"
    assert still is not None and still.still and still.box is None
    assert bird is not None and not bird.still
    assert bird.time_s == pytest.approx(3.5), "not the newest frame, from which the bird is gone"
    assert bird.subject.shape[0] == bird.subject.shape[1] < 80
    assert bird.subject[bird.subject.shape[0] // 2, bird.subject.shape[1] // 2].max() < 40
    assert later is not None and later.still


def test_a_black_zone_has_no_motion(tmp_path: Path) -> None:
    """The disc of the test above, of 32 px at (200, 100), lies in a zone from x = 170 on."""
    garden = cv2.resize(scenery(0), (320, 240))
    frames = [garden.copy() for _ in range(80)]
    for frame in frames[30:40]:
        cv2.circle(frame, (200, 100), 16, (10, 10, 10), -1)
    path = write_video(tmp_path / "a.avi", frames)
    video = open_camera(str(path), zones=[(170, 60, 999, 80)])
    assert video is not None
    video.best_shot(0, 2)
    shot = video.best_shot(2.5, 4.5)
    assert shot is not None and shot.still and shot.box is None
    assert shot.frame[60:140, 170:].max() == 0 and shot.frame[:60].min() > 0


@pytest.mark.parametrize("content", [b"", b"no video at all", b"\x00\x00\x00\x18ftypmp42"])
def test_an_unreadable_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bird.mp4"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"bird\.mp4: not a video that can be decoded; expected"):
        VideoFile(path)


def test_crop_cuts_x_y_w_h(tmp_path: Path) -> None:
    frame = scenery(3)
    assert parse_box("20,10,64,48") == (20, 10, 64, 48)
    assert np.array_equal(crop(frame, (20, 10, 64, 48)), frame[10:58, 20:84])
    assert crop(frame, (0, 0, 128, 96)).shape == (96, 128, 3)
    video = open_camera(str(write_video(tmp_path / "a.avi", [frame] * 3)), (20, 10, 64, 48))
    assert video is not None
    shot = video.best_shot(0, 1)
    assert shot is not None and shot.frame.shape == (48, 64, 3)


def test_a_crop_beyond_the_first_frame_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", [scenery(1)] * 3)
    with pytest.raises(
        InputError,
        match=re.escape(
            "crop 100,0,29,10 extends beyond the frame of 128x96 pixels; "
            "choose X+W <= 128 and Y+H <= 96"
        ),
    ):
        open_camera(str(path), (100, 0, 29, 10))


def test_a_film_larger_than_4k_is_refused_before_a_frame_is_decoded(tmp_path: Path) -> None:
    path = write_video(tmp_path / "large.avi", [np.zeros((2320, 4112, 3), np.uint8)])
    words = (
        "large.avi: sends frames of 4112x2320 pixels; expected at most 4096x2304; make a smaller"
    )
    with pytest.raises(InputError, match=words):
        VideoFile(path)
