"""Large pictures: JPEG files of hundreds of megapixels, made of one strip in little memory."""

import cv2
import numpy as np

STRIP_PX = 16  # the height of a row of blocks


def tall_jpeg(strip: np.ndarray, rows: int) -> bytes:
    """Return a JPEG that repeats a strip, uint8 [16, W, 3]: a restart marker follows each row."""
    data: bytes = cv2.imencode(".jpg", strip)[1].tobytes()
    frame, scan = data.index(b"\xff\xc0"), data.index(b"\xff\xda")
    begin = scan + 2 + int.from_bytes(data[scan + 2 : scan + 4], "big")
    height = (rows * STRIP_PX).to_bytes(2, "big")
    blocks = (int(strip.shape[1]) // STRIP_PX).to_bytes(2, "big")  # of a row
    head = data[: frame + 5] + height + data[frame + 7 : scan]
    row = data[begin:-2]
    rest = b"".join(bytes((0xFF, 0xD0 + index % 8)) + row for index in range(rows - 1))
    return head + b"\xff\xdd\0\4" + blocks + data[scan:begin] + row + rest + b"\xff\xd9"
