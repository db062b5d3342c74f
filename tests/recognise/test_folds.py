from pathlib import Path

from birdfield.model.sense import Sense
from birdfield.recognise.dataset import Sample, recording_of
from birdfield.recognise.folds import NEVER_TESTED, assign_folds, fold_of


def samples(label: str, sense: Sense, *names: str) -> list[Sample]:
    return [Sample(Path(name), label, sense, recording_of(Path(name), sense)) for name in names]


def test_no_recording_is_in_two_folds() -> None:
    clips = samples(
        "Jay",
        Sense.AUDIO,
        *[f"{recording}__{clip}.wav" for recording in range(11) for clip in range(4)],
    )
    folds = assign_folds(clips, 5, seed=3)
    rows = fold_of(clips, folds)
    assert len(folds) == 11 and set(folds.values()) == set(range(5))
    assert rows.reshape(11, 4).std(axis=1).max() == 0
    assert sorted(list(folds.values()).count(fold) for fold in range(5)) == [2, 2, 2, 2, 3]


def test_a_lone_recording_is_never_tested() -> None:
    both = [
        *samples("Jay", Sense.AUDIO, "one__0.wav", "one__1.wav"),
        *samples("Jay", Sense.IMAGE, "a.png", "b.png"),
    ]
    folds = assign_folds(both, 5, seed=0)
    assert folds["Jay", "one"] == NEVER_TESTED
    assert NEVER_TESTED not in fold_of(both[2:], folds) and len(set(fold_of(both[2:], folds))) == 2


def test_a_recording_with_a_picture_is_in_one_fold() -> None:
    """A film's stills and its sound carry the same name, and must be tested together."""
    both = [
        *samples("Jay", Sense.AUDIO, "film__0.wav", "other__0.wav"),
        *samples("Jay", Sense.IMAGE, "film__1.png", "still.png"),
    ]
    folds = assign_folds(both, 2, seed=1)
    assert len(folds) == 3 and fold_of(both, folds)[0] == fold_of(both, folds)[2]


def test_folds_depend_on_the_seed_and_not_on_the_order() -> None:
    clips = samples("Jay", Sense.AUDIO, *[f"{recording}__0.wav" for recording in range(20)])
    assert assign_folds(clips, 5, 7) == assign_folds(clips[::-1], 5, 7)
    assert assign_folds(clips, 5, 7) != assign_folds(clips, 5, 8)
