"""Write what tools/arm64/player.py plays: two toy birds, seen and heard, one after the other.

Run by tools/arm64/season.py, on the machine that starts the emulated one.
"""

import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import soundfile
from player import HEIGHT_PX, WIDTH_PX

from birdfield_train.toy_aviary.scene import Visit, film, soundtrack
from birdfield_train.toy_aviary.songs import RATE_HZ

SEED = 11  # individuals that the toy bundle, of seed 0, was not made with
SPECIES = (0, 1)
BIRD_S, GAP_S = 30.0, 45.0  # a visit ends after 30 s without its bird
PLAYER = Path(__file__).with_name("player.py")


def write_script() -> tuple[Visit, ...]:
    """Plan the film: a bird, nobody, the next."""
    script: list[Visit] = []
    now_s = 0.0
    for guest in (guest for species in SPECIES for guest in (species, None)):
        end_s = now_s + (GAP_S if guest is None else BIRD_S)
        script.append(Visit(guest, now_s, end_s, "clear", "clear"))
        now_s = end_s
    return tuple(script)


def write_aviary(image: Path) -> None:
    """Write film, song and player as a disk image."""
    folder = image.with_suffix(".d")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    script = write_script()
    film_rng, song_rng = np.random.default_rng(SEED).spawn(2)
    with (folder / "film.bgr").open("wb") as stream:
        for frame in film(script, film_rng):
            stream.write(cv2.resize(frame, (WIDTH_PX, HEIGHT_PX)).tobytes())
    soundfile.write(folder / "song.wav", soundtrack(script, song_rng), RATE_HZ, "PCM_16")
    shutil.copy(PLAYER, folder / "player.py")
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", str(folder), str(image), "1G"], check=True)
    shutil.rmtree(folder)
