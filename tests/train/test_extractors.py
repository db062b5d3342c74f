"""One suite for every feature extractor."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: birdfield[train]")

from tiny_training import CHANNELS, tiny_backbone, write_data

from birdfield.errors import InputError
from birdfield.model.audio_specs import YAMNET
from birdfield.model.yamnet import Yamnet
from birdfield.paths import PACKAGED_YAMNET, PACKAGED_YAMNET_SHA256
from birdfield_train.backbones import Tuning
from birdfield_train.extractor import FeatureExtractor
from birdfield_train.image_features import PooledMaps, ViewMaps
from birdfield_train.sound_features import VERSIONS, NoisyVersions, PatchEmbeddings

pytestmark = pytest.mark.train

TUNING = Tuning("maps", views=2, epochs=1, learning_rate=1e-4)
SOUND_KEY = f"{PACKAGED_YAMNET_SHA256[:16]}-7680"
NAMES = ("pooled maps", "view maps", "patch embeddings", "noisy versions")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three species; read only."""
    folder = tmp_path_factory.mktemp("extractors") / "data"
    write_data(folder)
    return folder


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def extractor(name: str, data: Path) -> FeatureExtractor:
    return make(name, data)


def make(name: str, data: Path) -> FeatureExtractor:
    noises = [data / "audio" / "Robin" / "0.wav"]
    if name == "pooled maps":
        return PooledMaps(tiny_backbone("tiny"))
    if name == "view maps":
        return ViewMaps(tiny_backbone("tiny"), TUNING)
    frontend = Yamnet(PACKAGED_YAMNET)
    if name == "patch embeddings":
        return PatchEmbeddings(frontend)
    return NoisyVersions(frontend, noises)


def files_for(name: str, data: Path) -> list[Path]:
    folder = "images" if name.endswith("maps") else "audio"
    return sorted((data / folder / "Greenfinch").iterdir())


def test_features_have_their_shape(name: str, extractor: FeatureExtractor, data: Path) -> None:
    """The base maps 16 px to 7 x 7 at a stride of 2; 1 s of sound is 2 patches."""
    shapes = {
        "pooled maps": (2 * CHANNELS,),
        "view maps": (1 + 2, 7, 7, CHANNELS),
        "patch embeddings": (2, YAMNET.dim),
        "noisy versions": (1 + VERSIONS, 2, YAMNET.dim),
    }
    features = extractor.compute([extractor.read(files_for(name, data)[0])])
    assert [found.shape for found in features] == [shapes[name]]
    assert features[0].dtype == np.float32 and np.isfinite(features[0]).all()


def test_files_have_the_same_features_alone_and_together(
    name: str, extractor: FeatureExtractor, data: Path
) -> None:
    inputs = [extractor.read(path) for path in files_for(name, data)[:2]]
    alone = [extractor.compute([values])[0] for values in inputs]
    together = extractor.compute(inputs)
    assert not np.array_equal(alone[0], alone[1])
    for one, two in zip(alone, together, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-5)


def test_equal_keys_mean_equal_inputs(name: str, extractor: FeatureExtractor, data: Path) -> None:
    other = make(name, data)
    path = files_for(name, data)[0]
    assert extractor.key == other.key
    np.testing.assert_array_equal(extractor.read(path), other.read(path))


def test_the_key_names_what_the_features_depend_on(data: Path) -> None:
    """Caches of 0.1.0 have these names; that of noisy versions ends as that of plain ones."""
    keys = [make(name, data).key for name in NAMES]
    assert keys[:3] == ["image-tiny", "views2-tiny-maps", f"audio-{SOUND_KEY}"]
    assert keys[3].startswith("versions3-") and keys[3].endswith(f"-{SOUND_KEY}")


def test_other_noises_have_another_key(data: Path) -> None:
    frontend = Yamnet(PACKAGED_YAMNET)
    noises = sorted((data / "audio" / "Robin").iterdir())
    keys = {NoisyVersions(frontend, some).key for some in (noises[:1], noises[1:], noises)}
    assert len(keys) == 3


def test_an_unusable_file_is_refused(
    name: str, extractor: FeatureExtractor, tmp_path: Path
) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("neither a picture nor a sound")
    with pytest.raises(InputError, match=r"notes.txt: not a (picture|recording)"):
        extractor.read(path)
