import logging
import struct
import unicodedata
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from large_pictures import tall_jpeg

from birdfield.errors import InputError
from birdfield.signals.image import (
    ImageSpec,
    decode_image,
    preprocess,
    read_image,
    resize_to_square,
)
from birdfield.signals.picture_header import read_header

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
        (png_that_states(20_000, 20_000), "a PNG of 400 megapixels, which needs more than 180 MB"),
        (png_that_states(2**31 - 1, 2**31 - 1), "a PNG of 46116860[0-9]+ megapixels"),
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


@pytest.mark.parametrize("left", [0.3, 0.6, 0.9])
def test_the_end_of_a_thumbnail_is_not_the_end_of_the_photograph(left: float) -> None:
    whole = with_thumbnail(cv2.imencode(".jpg", noise())[1].tobytes())
    end = len(whole) - int((1 - left) * len(cv2.imencode(".jpg", noise())[1]))
    with pytest.raises(InputError, match="it: (the picture is truncated|not a picture)"):
        decode_image(whole[:end], "it")


def noise(height: int = 160, width: int = 120) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("restarts", [0, 1])
@pytest.mark.parametrize("tail", [b"", bytes(4096), b"\0"], ids=["cut", "padded", "one zero"])
def test_a_jpeg_without_its_end_has_all_its_pixels(
    tail: bytes, restarts: int, progressive: int, caplog: pytest.LogCaptureFixture
) -> None:
    ways = [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive, cv2.IMWRITE_JPEG_RST_INTERVAL, restarts]
    for seed in range(8):
        picture = np.roll(noise(), seed, axis=1)
        whole = cv2.imencode(".jpg", picture, ways)[1].tobytes()
        assert np.array_equal(decode_image(whole[:-2] + tail, "it"), decode_image(whole, "it"))
    assert not caplog.messages


def test_a_jpeg_that_lacks_little_is_used_and_says_how_much(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of 100 rows of 16 x 16 pixels, each a segment of its own, 5 are missing."""
    whole = tall_jpeg(noise(16, 64), 100)
    places = [place for place in range(len(whole)) if whole[place : place + 2] == b"\xff\xd6"]
    cut = whole[: places[-1]]  # RST6 ends row 95: 94 is the last whole multiple of 8, plus 7
    with caplog.at_level(logging.WARNING):
        assert decode_image(cut, "it.jpg").shape == (1600, 64, 3)
    assert "it.jpg: 5 % of the picture is missing" in caplog.text


@pytest.mark.parametrize(
    ("width", "rows", "shape"),
    [
        (2_400, 500, (8_000, 2_400)),
        (8_000, 375, (3_000, 4_000)),
        (12_000, 563, (4_504, 6_000)),
        (16_320, 765, (3_060, 4_080)),
    ],
    ids=["19 MP", "48 MP", "108 MP", "200 MP"],
)
def test_a_large_jpeg_is_decoded_reduced(width: int, rows: int, shape: tuple[int, int]) -> None:
    """180 MB hold 30 megapixels twice: 19 as they are, 48 and 108 at a half, 200 at a quarter.

    A row has 16 pixels: 375 rows are 6 000, their half 3 000.
    """
    picture = np.tile(gradient(16, 80), (1, width // 80, 1))
    assert decode_image(tall_jpeg(picture, rows), "it").shape == (*shape, 3)


def test_a_png_without_its_end_is_read_and_a_shorter_one_is_not() -> None:
    whole = encoded(".png")
    expected = decode_image(whole, "it")
    for data in (whole[:-12], whole[:-1], whole + bytes(3_000_000)):
        assert np.array_equal(decode_image(data, "it"), expected)
    with pytest.raises(InputError, match="it: the picture is truncated"):
        decode_image(whole[:-13], "it")


@pytest.mark.parametrize("progressive", [0, 1])
def test_a_progressive_jpeg_needs_memory_for_all_its_pixels(progressive: int) -> None:
    """Of 100 megapixels, 1.5 coefficients of two bytes each: 300 MB, at any reduction."""
    whole = cv2.imencode(".jpg", noise(), [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive])[1].tobytes()
    size_at = whole.index(b"\xff\xc2" if progressive else b"\xff\xc0") + 5
    stated = whole[:size_at] + struct.pack(">HH", 10_000, 10_000) + whole[size_at + 4 :]
    header = read_header(stated)
    assert header is not None and header.pixels == 100_000_000
    assert header.held_bytes == (300_000_000 if progressive else 0)
    if progressive:
        with pytest.raises(InputError, match="a progressive JPEG of 100 megapixels"):
            decode_image(stated, "it")


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
def test_the_header_states_the_size(ending: str) -> None:
    header = read_header(encoded(ending))
    assert header is not None and header.whole
    assert (header.width, header.height) == (60, 40)


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
        stream.truncate(100_000_001)  # sparse: it uses no space on the disk
    with pytest.raises(InputError, match="100,000,001 bytes; expected a photograph of at most"):
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
