"""Songs: the songs of six invented species, and the sounds of wind and air around them."""

from dataclasses import dataclass

import numpy as np

from birdfield.signals.audio import Waveform

RATE_HZ = 16_000  # default sample rate

ECHO_S = 0.12  # reverberation among trees
WIND_HZ = 300.0  # wind at a microphone is mostly below this frequency
MARGIN_S = 3.0  # beyond the end, for the last note
GUST_S = 1.5  # from one change of the wind to the next


@dataclass(frozen=True)
class Note:
    """One kind of note.

    Attributes:
        contour_hz: Pitch at equal steps from start to end.
        length_s: Length.
        rest_s: Silence after it.
        repeats: Repetitions in a phrase.
        overtones: Amplitudes of the second, third ... harmonic, relative to the first.
        buzz_hz: Rate at which the sound is switched on and off; 0 for a clear tone.
    """

    contour_hz: tuple[float, ...]
    length_s: float
    rest_s: float
    repeats: int = 1
    overtones: tuple[float, ...] = ()
    buzz_hz: float = 0.0


@dataclass(frozen=True)
class Song:
    """A repeated phrase.

    Attributes:
        notes: The notes of a phrase, in order.
        rest_s: Silence between phrases.
        drift: Pitch at the end of a phrase, relative to its start.
        hurry: Tempo at the end of a phrase, relative to its start.
    """

    notes: tuple[Note, ...]
    rest_s: float
    drift: float = 1.0
    hurry: float = 1.0


# In the order of plumage.PLUMAGES. The third and the fourth are trills that differ in pitch and
# tempo only; these species also have the same colours, and differ in pattern.
SONGS = (
    Song(
        (
            Note((4300, 4150), 0.26, 0.07),
            Note((3500, 3450), 0.26, 0.07),
            Note((2750, 2600), 0.42, 0.1),
        ),
        0.75,
    ),
    Song(
        (
            Note((1900, 2700, 2000), 0.17, 0.06, 3, (0.35, 0.12)),
            Note((3100, 2100), 0.12, 0.05, 2, (0.3, 0.1)),
            Note((1700, 2200, 1800, 2500), 0.24, 0.09, 2, (0.4, 0.15)),
        ),
        0.55,
    ),
    Song((Note((2900, 3700, 2700), 0.075, 0.05, 13, (0.1,)),), 0.7),
    Song((Note((4600, 6000, 4300), 0.034, 0.021, 26, (0.1,)),), 0.7),
    Song((Note((6700, 5600, 5900), 0.075, 0.075, 16),), 0.8, drift=0.52, hurry=1.7),
    Song((Note((3900, 4400), 0.55, 0.08, buzz_hz=85), Note((5600, 3400), 0.09, 0.06, 3)), 0.6),
)


def song(
    species: int, rng: np.random.Generator, length_s: float, rate_hz: int = RATE_HZ
) -> Waveform:
    """Generate the song of an individual, without other sounds.

    Args:
        species: Index in SONGS.
        rng: Decides the pitch and tempo of the individual and of each note.
        length_s: Length; the last note may be cut.
        rate_hz: Sample rate.

    Returns:
        float32 [length_s * rate_hz], with a peak of 1.
    """
    total = round(length_s * rate_hz)
    sung = np.zeros(total + round(MARGIN_S * rate_hz), np.float32)
    singer = _Singer(SONGS[species], rng.normal(1, 0.025), rng.normal(1, 0.06))
    start_s = rng.uniform(0, 0.4)
    while start_s < length_s:
        start_s = _sing_phrase(sung, start_s, length_s, singer, rng)
        start_s += singer.song.rest_s * rng.uniform(0.7, 1.3)
    echoed = _echo(sung, rng, rate_hz)[:total]
    return np.asarray(echoed / max(1e-6, float(np.abs(echoed).max())), np.float32)


@dataclass(frozen=True)
class _Singer:
    """An individual: its song, and its pitch and tempo relative to the species."""

    song: Song
    pitch: float
    tempo: float


def _sing_phrase(
    sung: Waveform, start_s: float, end_s: float, singer: _Singer, rng: np.random.Generator
) -> float:
    """Add a phrase to a sound that is MARGIN_S longer than end_s; return the end of the phrase."""
    phrase, rate_hz = singer.song, len(sung) / (end_s + MARGIN_S)
    notes = [
        note
        for note in phrase.notes
        for _ in range(max(1, round(note.repeats * rng.uniform(0.85, 1.15))))
    ]
    for note, done in zip(notes, np.linspace(0, 1, len(notes)), strict=True):
        pace = singer.tempo * phrase.hurry**done
        pitch = singer.pitch * phrase.drift**done * rng.normal(1, 0.008)
        sound = _sound(note, pitch, pace, rate_hz)
        first = round(start_s * rate_hz)
        if start_s < end_s:
            sung[first : first + len(sound)] += sound * np.float32(rng.uniform(0.75, 1))
        start_s += (note.length_s + note.rest_s * rng.uniform(0.9, 1.1)) / pace
    return start_s


def _sound(note: Note, pitch: float, pace: float, rate_hz: float) -> Waveform:
    """Generate a note at a pitch and a pace relative to its own."""
    count = round(note.length_s / pace * rate_hz)
    t = np.linspace(0, 1, count)
    hz = pitch * np.interp(t, np.linspace(0, 1, len(note.contour_hz)), note.contour_hz)
    phase = 2 * np.pi * np.cumsum(hz) / rate_hz
    wave = np.sin(phase)
    for place, amplitude in enumerate(note.overtones, 2):
        if place * float(hz.max()) < rate_hz / 2:  # a harmonic above half the rate would alias
            wave += amplitude * np.sin(place * phase)
    if note.buzz_hz:
        wave *= 0.5 + 0.5 * np.sign(np.sin(2 * np.pi * note.buzz_hz * np.arange(count) / rate_hz))
    # A soft start and a longer end prevent clicks.
    return np.asarray(wave * np.clip(np.minimum(t / 0.15, (1 - t) / 0.3), 0, 1), np.float32)


def _echo(sung: Waveform, rng: np.random.Generator, rate_hz: int) -> Waveform:
    """Add reverberation."""
    count = round(ECHO_S * rate_hz)
    tail = rng.normal(0, 0.02, count) * np.exp(-np.linspace(0, 5, count))
    tail[0] = 1
    size = 1 << (len(sung) + count).bit_length()  # a transform of a prime length is slow
    echoed = np.fft.irfft(np.fft.rfft(sung, size) * np.fft.rfft(tail, size), size)
    return np.asarray(echoed[: len(sung)], np.float32)


def air(rng: np.random.Generator, length_s: float, rate_hz: int = RATE_HZ) -> Waveform:
    """Generate pink noise and gusts of wind.

    Args:
        rng: Decides the sound.
        length_s: Length.
        rate_hz: Sample rate.

    Returns:
        float32 [length_s * rate_hz], with a root mean square of about 1.
    """
    count = round(length_s * rate_hz)
    size = 1 << count.bit_length()
    hz = np.maximum(np.fft.rfftfreq(size, 1 / rate_hz), 20)
    pink, wind = (
        np.fft.irfft(np.fft.rfft(rng.normal(0, 1, size)) * shape, size)[:count]
        for shape in (hz**-0.5, np.exp(-hz / WIND_HZ))
    )
    changes_s = np.arange(0, length_s + GUST_S, GUST_S)
    gusts = np.interp(np.arange(count) / rate_hz, changes_s, rng.uniform(0, 1, len(changes_s)) ** 2)
    mixed = pink / pink.std() + wind / wind.std() * gusts * rng.uniform(0, 1.2)
    return np.asarray(mixed / mixed.std(), np.float32)


def sing(
    species: int, rng: np.random.Generator, length_s: float, rate_hz: int = RATE_HZ
) -> Waveform:
    """Generate a field recording of an individual, with wind and sometimes another bird.

    Args:
        species: Index in SONGS.
        rng: Decides the individual, the level, the wind and the other bird.
        length_s: Length.
        rate_hz: Sample rate.

    Returns:
        float32 [length_s * rate_hz], -1..1.
    """
    recording = song(species, rng, length_s, rate_hz)
    other = song(int(rng.integers(len(SONGS))), rng, length_s, rate_hz)
    recording += other * np.float32(rng.choice((0, 0.03, 0.06)))
    recording += air(rng, length_s, rate_hz) * np.float32(10 ** rng.uniform(-2.6, -1.5))
    level = 10 ** rng.uniform(-1.1, -0.1)
    return np.asarray(recording * (level / np.abs(recording).max()), np.float32)
