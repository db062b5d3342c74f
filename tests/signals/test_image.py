import struct
import unicodedata
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from birdfield.errors import InputError
from birdfield.signals.image import (
    ImageSpec,
    decode_image,
    preprocess,
    read_image,
    resize_to_square,
)

VGG = ImageSpec(224, "BGR", (103.939, 116.779, 123.68))


def gradient(height: int = 40, width: int = 60) -> np.ndarray:
    """Return a blue picture that is dark at its left and light at its right."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.linspace(0, 255, width).astype(np.uint8)
    return image


def encoded(ending: str) -> bytes:
    return cv2.imencode(ending, gradient())[1].tobytes()


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """Insert an EXIF block with one tag, 0x0112, after a JPEG's first marker."""
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    exif = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


def with_thumbnail(jpeg: bytes) -> bytes:
    """Insert a thumbnail, with an end marker of its own, before a JPEG's pixels, as cameras do."""
    exif = b"Exif\0\0" + encoded(".jpg")
    filled = b"\xff\xff\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    return jpeg[:2] + b"\xff\x01" + filled + jpeg[2:]


def png_that_states(width: int, height: int) -> bytes:
    """Return a PNG of 1 kB whose header states any size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(bytes(100_000)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp", ".bmp"])
def test_every_format_is_read(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"bird{ending}"
    path.write_bytes(encoded(ending))
    image = read_image(path)
    assert image.shape == (40, 60, 3) and image.dtype == np.uint8
    assert np.abs(image.astype(int) - gradient())[..., 0].mean() < 6


@pytest.mark.parametrize("name", ["Käuzchen 🦉", unicodedata.normalize("NFD", "Käuzchen")])
def test_a_name_may_be_any_unicode(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.png"
    path.write_bytes(encoded(".png"))
    assert np.array_equal(read_image(path), gradient())


@pytest.mark.parametrize(
    ("orientation", "light"), [(1, "right"), (3, "left"), (6, "bottom"), (8, "top")]
)
def test_a_photograph_is_turned_upright(orientation: int, light: str) -> None:
    """A camera turned a quarter to the left writes 6: the scene's right side is then below."""
    image = decode_image(with_orientation(encoded(".jpg"), orientation), "a photograph")[..., 0]
    halves = {
        "left": image[:, : image.shape[1] // 2],
        "right": image[:, image.shape[1] // 2 :],
        "top": image[: image.shape[0] // 2],
        "bottom": image[image.shape[0] // 2 :],
    }
    assert max(halves, key=lambda side: float(halves[side].mean())) == light


@pytest.mark.parametrize(
    "array",
    [gradient()[..., 0], np.dstack([gradient(), gradient()[..., 0]])],
    ids=["grey", "with transparency"],
)
def test_every_picture_has_three_channels(array: np.ndarray) -> None:
    assert decode_image(cv2.imencode(".png", array)[1].tobytes(), "it").shape == (40, 60, 3)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty; expected a photograph"),
        (
            b"no picture at all",
            "not a picture that can be decoded; expected JPEG, PNG, WebP or BMP",
        ),
        (encoded(".jpg")[:-20], "the picture is truncated; copy the file again"),
        (encoded(".png")[:-20], "the picture is truncated"),
        (encoded(".webp")[:-20], "the picture is truncated"),
        (encoded(".bmp")[:30], "not a picture that can be decoded"),
        (b"\xff\xd8\xff\xd9", "not a picture that can be decoded"),
        (
            png_that_states(20_000, 20_000),
            "cannot be decoded as a picture of at most 100 megapixels",
        ),
        (png_that_states(2**31 - 1, 2**31 - 1), "not .*decod"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_a_file_that_is_not_a_picture_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(InputError, match=f"^it: {words}"):
        decode_image(data, "it")


@pytest.mark.parametrize("progressive", [0, 1])
def test_a_photograph_with_an_appended_film_is_read(progressive: int) -> None:
    """Phones append an MP4 of megabytes, so that the JPEG's end is not in the last 64 kB."""
    ways = [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive, cv2.IMWRITE_JPEG_RST_INTERVAL, 1]
    jpeg = with_thumbnail(cv2.imencode(".jpg", gradient(), ways)[1].tobytes())
    film = b"\0\0\0\x18ftypmp42" + bytes(3_000_000)
    assert np.array_equal(decode_image(jpeg + film, "it"), decode_image(jpeg, "it"))


@pytest.mark.parametrize("left", [0.3, 0.6, 0.9, 1.0])
def test_the_end_of_a_thumbnail_is_not_the_end_of_the_photograph(left: float) -> None:
    whole = with_thumbnail(encoded(".jpg"))
    with pytest.raises(InputError, match="it: the picture is truncated"):
        decode_image(whole[: int(left * len(whole)) - 2], "it")


@pytest.mark.parametrize(
    "segments",
    [
        b"\xff\xe1\0\0" * 500_000,
        b"\xff" * 2_000_000,
        b"\xff\xe1\xff\xff",
        b"\xff\xe1\xff",
        b"\xff\xe1",
        b"\xff",
        b"\xff\xd0" * 1_000_000,
        b"\xff\xda\0\0",
        b"\0" * 100,
    ],
)
def test_hostile_segments_raise_one_error(segments: bytes) -> None:
    for end in (b"", b"\xff\xd9"):
        with pytest.raises(InputError, match="it: "):
            decode_image(b"\xff\xd8" + segments + end, "it")


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp", ".bmp"])
def test_a_damaged_picture_is_read_or_raises_one_error(ending: str) -> None:
    rng, whole = np.random.default_rng(0), encoded(ending)
    for _ in range(60):
        damaged = bytearray(whole[: rng.integers(1, len(whole) + 1)])
        for place in rng.integers(0, len(damaged), 3):
            damaged[place] ^= 1 << rng.integers(8)
        try:
            image = decode_image(bytes(damaged), "it")
        except InputError as error:
            assert str(error).startswith("it: ")
        else:
            assert image.dtype == np.uint8 and image.ndim == 3


@pytest.mark.parametrize(
    ("kind", "words"), [("missing", "No such file"), ("folder", "Is a directory")]
)
def test_a_photograph_that_cannot_be_read_is_named(tmp_path: Path, kind: str, words: str) -> None:
    if kind == "folder":
        (tmp_path / "bird.jpg").mkdir()
    with pytest.raises(InputError, match=f"bird.jpg: cannot be read .{words}"):
        read_image(tmp_path / "bird.jpg")


def test_a_file_too_large_for_a_photograph_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "bird.jpg"
    with path.open("wb") as stream:
        stream.truncate(200_000_001)  # sparse: it uses no space on the disk
    with pytest.raises(InputError, match="200,000,001 bytes; expected a photograph of at most"):
        read_image(path)


@pytest.mark.parametrize("shape", [(300, 500), (100, 60), (1, 1), (1, 4000)])
def test_a_picture_of_any_shape_becomes_a_square(shape: tuple[int, int]) -> None:
    square = resize_to_square(np.full((*shape, 3), 90, np.uint8), VGG)
    assert square.shape == (224, 224, 3) and (square == 90).all()


def test_the_square_contains_the_edges() -> None:
    image = np.zeros((300, 900, 3), np.uint8)
    image[:, -40:] = 255
    assert resize_to_square(image, VGG)[:, -5:].min() > 200


def test_preprocessing_subtracts_each_channels_mean_and_divides() -> None:
    """Blue (200 - 100) / 2 = 50, green (100 - 50) / 2 = 25, red (40 - 40) / 2 = 0."""
    image = np.full((30, 30, 3), (200, 100, 40), np.uint8)
    blue_first = preprocess(image, ImageSpec(16, "BGR", (100, 50, 40), 2))
    red_first = preprocess(image, ImageSpec(16, "RGB", (40, 50, 100), 2))
    assert blue_first.shape == (16, 16, 3) and blue_first.dtype == np.float32
    assert np.array_equal(blue_first[0, 0], [50, 25, 0])
    assert np.array_equal(red_first[0, 0], [0, 25, 50])


def test_a_manifests_spec_is_read() -> None:
    entry = {"size_px": 224, "order": "BGR", "mean": [103.939, 116.779, 123.68], "scale": 1.0}
    assert ImageSpec.from_json(entry) == VGG


@pytest.mark.parametrize(
    "change",
    [
        {"size_px": 0},
        {"size_px": 10**6},
        {"order": "HSV"},
        {"mean": [1, 2]},
        {"mean": "abc"},
        {"scale": 0},
        {"scale": float("nan")},
        {"mean": [float("inf"), 0, 0]},
        {"scale": float("inf")},
    ],
)
def test_a_malformed_spec_is_refused(change: dict[str, object]) -> None:
    entry = {"size_px": 224, "order": "BGR", "mean": [1, 2, 3], "scale": 1.0, **change}
    with pytest.raises((KeyError, TypeError, ValueError)):
        ImageSpec.from_json(entry)
