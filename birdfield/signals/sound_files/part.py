"""Sound part: a stretch of a file that one decoder reads."""

from dataclasses import dataclass

from birdfield.signals.sound_files.pieces import Piece


@dataclass(frozen=True)
class RawFormat:
    """Samples without a header.

    Attributes:
        rate_hz: The sample rate.
        channels: The number of channels.
        subtype: The type of a sample, as libsndfile names it.
        endian: "LITTLE" or "BIG".
        frame_bytes: The bytes of one sample of all channels.
    """

    rate_hz: int
    channels: int
    subtype: str
    endian: str
    frame_bytes: int


@dataclass(frozen=True)
class SoundPart:
    """A stretch of a file that one decoder reads.

    Attributes:
        pieces: What the decoder reads.
        raw: The format of samples without a header; None where the pieces have one.
        stated: How many samples of a channel the file promises; None where it does not, or where
            the decoder knows it.
        cut: Whether the file ends before the sound does, and states no length.
        lost: How many samples of a channel are silence, because the file is damaged there.
    """

    pieces: tuple[Piece, ...]
    raw: RawFormat | None = None
    stated: int | None = None
    cut: bool = False
    lost: int = 0
