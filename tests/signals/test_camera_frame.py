import cv2
import numpy as np
import pytest

from birdfield.errors import InputError
from birdfield.signals.boxes import reduce_box
from birdfield.signals.camera_frame import decode_camera_jpeg, view_of


def ramp(width: int, height: int) -> np.ndarray:
    columns = np.linspace(0, 255, width).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(columns[None, :, None], (height, width, 3)))


def test_a_small_frame_is_used_as_it_is() -> None:
    frame = ramp(640, 480)
    assert view_of(frame, None, ()) is frame


def test_a_large_frame_is_reduced_to_2_3_megapixels() -> None:
    """2560 x 1440 = 3.69 megapixels; (2.304 / 3.6864) ** 0.5 = 0.7906: 2023 x 1138."""
    assert view_of(ramp(2560, 1440), None, ()).shape == (1138, 2023, 3)


def test_a_crop_does_not_keep_the_whole_frame() -> None:
    frame = ramp(2560, 1440)
    view = view_of(frame, (100, 50, 640, 480), ())
    assert view.shape == (480, 640, 3) and view.base is None
    assert np.array_equal(view, frame[50:530, 100:740])


def test_boxes_count_in_the_pixels_of_the_camera() -> None:
    """At a half, the crop 1000,500,800,600 of 4K is 500,250,400,300; a zone of it is black."""
    frame = np.full((1080, 1920, 3), 200, np.uint8)
    view = view_of(frame, (1000, 500, 800, 600), [(1000, 500, 100, 600)], 2)
    assert view.shape == (300, 400, 3)
    assert view[:, :50].max() == 0 < view[:, 50:].min()
    assert frame.min() == 200, "the camera's frame is as it was"


def test_a_crop_beyond_the_frame_is_refused_in_the_pixels_of_the_camera() -> None:
    with pytest.raises(InputError, match="the frame of 3840x2160 pixels; choose X.W <= 3840"):
        view_of(np.zeros((1080, 1920, 3), np.uint8), (3000, 0, 1000, 100), (), 2)


def test_a_reduced_box_covers_the_box() -> None:
    """From 3 to 10 of 4 pixels each: from 0 to 12."""
    assert reduce_box((3, 8, 7, 4), 4) == (0, 2, 3, 1)


@pytest.mark.parametrize(
    "data", [b"", b"no picture", cv2.imencode(".png", ramp(8, 8))[1].tobytes()]
)
def test_what_is_no_jpeg_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="not a JPEG"):
        decode_camera_jpeg(data, None)


def test_a_frame_that_states_too_much_is_refused_before_it_is_decoded() -> None:
    """65 000 x 65 000 pixels are 66 megapixels at an eighth; 9.4 are decoded at most."""
    data = cv2.imencode(".jpg", ramp(16, 16))[1].tobytes()
    place = data.index(b"\xff\xc0") + 5
    side = (65_000).to_bytes(2, "big")
    with pytest.raises(InputError, match="a frame of 65000x65000 pixels; expected at most"):
        decode_camera_jpeg(data[:place] + side + side + data[place + 4 :], None)
