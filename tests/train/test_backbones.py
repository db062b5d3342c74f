import numpy as np
import pytest

from birdfield.errors import UsageError
from birdfield.model.encoder import unit
from birdfield.signals.image import preprocess

keras = pytest.importorskip("keras", reason="TensorFlow is not installed: birdfield[train]")

from birdfield_train.backbones import BACKBONES, get_backbone  # noqa: E402
from birdfield_train.packed_weights import quantise_kernel  # noqa: E402
from birdfield_train.toy_aviary import draw_bird  # noqa: E402

pytestmark = pytest.mark.train


@pytest.mark.parametrize("name", BACKBONES)
def test_a_base_has_maps_of_seven_by_seven(name: str) -> None:
    """224 px at a stride of 32."""
    backbone = get_backbone(name)
    assert backbone.spec.size_px == 224
    base = backbone.build()
    assert base.output_shape == (None, 7, 7, backbone.channels)
    birds = [draw_bird(species, np.random.default_rng(species)) for species in range(3)]
    pictures = [
        preprocess(np.ascontiguousarray(bird), backbone.spec)
        for bird in (*birds, *(bird[:, ::-1] for bird in birds))
    ]
    maps = np.asarray(base(np.stack(pictures)))
    assert np.isfinite(maps).all()
    # With weights in a wrong order, a mirrored bird would not be the most similar one.
    pooled = unit(maps.mean(axis=(1, 2)))
    cosine = pooled[:3] @ pooled[3:].T
    assert np.diag(cosine).min() > cosine[~np.eye(3, dtype=bool)].max()


def test_an_unknown_backbone_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="no image backbone 'resnet'; expected one of vgg16, "):
        get_backbone("resnet")


def test_a_depthwise_kernel_has_a_scale_for_each_channel() -> None:
    """Channels 0 and 1 peak at 1 and 127; with steps of 1/127 and 1, both have the level 127."""
    kernel = np.zeros((3, 3, 2, 1), np.float32)
    kernel[0, 0, 0, 0], kernel[0, 0, 1, 0] = 1.0, 127.0
    levels, scale = quantise_kernel(kernel)
    np.testing.assert_allclose(scale.ravel(), [1 / 127, 1.0])
    assert levels[0, 0].ravel().tolist() == [127, 127]


def test_lite0_has_its_published_size() -> None:
    """4.65 million parameters less the classifier's 1.28 million (1280 x 1000 + 1000).

    Folding replaces the scale and shift of a normalisation by a bias, so 3.36 million kernel
    weights and biases remain.
    """
    base = get_backbone("efficientnet-lite0").build()
    assert base.count_params() == pytest.approx(3.36e6, rel=0.01)
