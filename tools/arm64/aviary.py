"""Aviary: the film and song that tools/arm64/player.py plays, of two toy birds in turn.

tools/arm64/season.py calls it on the machine that starts the emulated one.
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

SEED = 11  # other individuals than those of the toy bundle, which has seed 0
SPECIES = (0, 1)
BIRD_S, GAP_S = 30.0, 45.0  # a visit ends after 30 s without its bird
PLAYER = Path(__file__).with_name("player.py")


def write_script() -> tuple[Visit, ...]:
    """Return the script of the film: a bird, an empty scene, the next bird."""
    script: list[Visit] = []
    now_s = 0.0
    for guest in (guest for species in SPECIES for guest in (species, None)):
        end_s = now_s + (GAP_S if guest is None else BIRD_S)
        script.append(Visit(guest, now_s, end_s, "clear", "clear"))
        now_s = end_s
    return tuple(script)


def write_aviary(image: Path) -> None:
    """Write film, song and player to a disk image."""
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
