import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import BluePitch, at, factory, make_bundle

from birdfield.errors import InputError
from birdfield.model.bundle import Bundle
from birdfield.model.merged_gallery import merged_gallery
from birdfield.model.sense import Sense
from birdfield.model.species import Species
from birdfield.model.store import Enrolled, Store, parse_store
from birdfield.model.store_file import edit_store, load_store, stale_stores, store_path
from birdfield.recognise.decide import decide

SUPPORT = Path(__file__).parents[1] / "support"
ENROLMENTS = 15

# Enrols one species after the other, each in an edit of its own.
WRITER = """
import sys
from pathlib import Path
from dataclasses import replace
from fakes import at
from birdfield.model.bundle import load_bundle
from birdfield.model.species import Species
from birdfield.model.store import Enrolled
from birdfield.model.store_file import edit_store
bundle, name, count = load_bundle(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
for index in range(count):
    label = f"{name} {index}"
    with edit_store(bundle) as editor:
        entry = Enrolled(Species(label), (label,), ("image",), at(index)[None])
        store = editor.store
        editor.store = replace(store, enrolled={**store.enrolled, label: entry})
"""


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return make_bundle(tmp_path / "m.birdfield")


def enrolled(label: str, *samples: tuple[Sense, float]) -> Enrolled:
    """Return an entry with samples (sense, angle)."""
    return Enrolled(
        Species(label),
        tuple(f"{label} {row}" for row in range(len(samples))),
        tuple(sense for sense, _ in samples),
        np.stack([at(angle) for _, angle in samples]),
    )


def store_of(bundle: Bundle, *entries: Enrolled) -> Store:
    return Store(bundle.model_id, {entry.species.label: entry for entry in entries})


def put(bundle: Bundle, store: Store) -> None:
    with edit_store(bundle) as editor:
        editor.store = store


def test_without_a_store_the_gallery_is_that_of_the_bundle(bundle: Bundle) -> None:
    assert load_store(bundle) == Store(bundle.model_id)
    gallery = merged_gallery(bundle, load_store(bundle), BluePitch().fuse)
    assert gallery.labels == ("Jay", "Robin", "Wren")


def test_a_store_is_the_same_after_write_and_load(bundle: Bundle) -> None:
    owl = Enrolled(
        Species("Käuzchen", "Athene noctua", {"fr": "Chevêche"}),
        ("a", "b"),
        (Sense.IMAGE, Sense.AUDIO),
        np.stack([at(10), at(20)]),
    )
    before = replace(
        store_of(bundle, owl, enrolled("Owl", (Sense.AUDIO, 5))),
        removed=frozenset({"Wren"}),
        renamed={"Jay": "Häher"},
    )
    put(bundle, before)
    after = load_store(bundle)
    assert (after.model, after.removed, after.renamed) == (
        before.model,
        before.removed,
        before.renamed,
    )
    assert list(after.enrolled) == ["Käuzchen", "Owl"]
    found = after.enrolled["Käuzchen"]
    assert (found.species, found.hashes, found.senses) == (owl.species, owl.hashes, owl.senses)
    assert np.array_equal(found.vectors, owl.vectors)
    assert np.array_equal(found.of_sense(Sense.AUDIO), at(20)[None])


def test_the_store_is_beside_the_bundle_which_stays_unchanged(bundle: Bundle) -> None:
    before = {path: path.read_bytes() for path in bundle.folder.iterdir()}
    put(bundle, store_of(bundle, enrolled("Owl", (Sense.IMAGE, 200))))
    assert store_path(bundle) == bundle.folder.parent / "m.birdfield.store" / "species.store"
    assert {path: path.read_bytes() for path in bundle.folder.iterdir()} == before


def test_the_store_of_a_read_only_bundle_is_in_the_users_data_folder(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    expected = Path(os.environ["XDG_DATA_HOME"]) / "birdfield/stores" / bundle.model_id
    put(bundle, store_of(bundle, enrolled("Owl", (Sense.IMAGE, 200))))
    assert store_path(bundle) == expected / "species.store" and store_path(bundle).is_file()
    assert list(load_store(bundle).enrolled) == ["Owl"]
    assert not (bundle.folder.parent / "m.birdfield.store").exists()


def test_a_store_in_the_users_data_folder_is_still_used_beside_a_writable_bundle(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: False)
        put(bundle, store_of(bundle, enrolled("Owl", (Sense.IMAGE, 200))))
    put(bundle, replace(load_store(bundle), removed=frozenset({"Wren"})))
    assert list(load_store(bundle).enrolled) == ["Owl"]
    assert load_store(bundle).removed == {"Wren"}
    assert not (bundle.folder.parent / "m.birdfield.store").exists()


def test_the_store_of_the_packaged_starter_is_in_the_users_data_folder(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """site-packages may be writable, but an upgrade replaces it."""
    monkeypatch.setattr("birdfield.paths.STARTER", bundle.folder)
    put(bundle, store_of(bundle, enrolled("Owl", (Sense.IMAGE, 200))))
    folder = Path(os.environ["XDG_DATA_HOME"]) / f"birdfield/stores/starter-{bundle.model_id}"
    assert store_path(bundle) == folder / "species.store" and store_path(bundle).is_file()
    assert list(load_store(bundle).enrolled) == ["Owl"]
    assert not (bundle.folder.parent / "m.birdfield.store").exists()


def test_species_enrolled_with_an_earlier_starter_are_reported(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both starters have the Wren. Damaged stores, and bundles other than starters, are ignored."""
    monkeypatch.setattr("birdfield.paths.STARTER", bundle.folder)
    put(
        bundle,
        store_of(bundle, enrolled("Owl", (Sense.IMAGE, 200)), enrolled("wren", (Sense.IMAGE, 9))),
    )
    upgraded = replace(bundle, manifest=replace(bundle.manifest, model="0" * 16))
    own = merged_gallery(upgraded, Store(upgraded.model_id), BluePitch().fuse)
    old = store_path(bundle)
    (old.parent.parent / "starter-1").mkdir()
    (old.parent.parent / "starter-1/species.store").write_text("not a store")
    (sentence,) = stale_stores(upgraded, own)
    assert sentence.startswith(f"{old}: Owl was enrolled with the starter of an earlier package")
    put(upgraded, Store(upgraded.model_id, {"owl": enrolled("owl", (Sense.IMAGE, 8))}))
    now = merged_gallery(upgraded, load_store(upgraded), BluePitch().fuse)
    assert stale_stores(upgraded, now) == []
    monkeypatch.setattr("birdfield.paths.STARTER", bundle.folder / "elsewhere")
    assert stale_stores(upgraded, own) == []


def test_a_store_beside_a_bundle_that_became_read_only_is_still_used(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bundle, store_of(bundle, enrolled("Owl", (Sense.IMAGE, 200))))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert list(load_store(bundle).enrolled) == ["Owl"]


def test_a_link_to_a_bundle_shares_its_store(bundle: Bundle) -> None:
    put(bundle, store_of(bundle, enrolled("Owl", (Sense.IMAGE, 200))))
    (bundle.folder.parent / "link").symlink_to(bundle.folder)
    linked = Bundle(bundle.folder.parent / "link", bundle.manifest)
    assert list(load_store(linked).enrolled) == ["Owl"]


def test_the_error_for_a_store_of_another_model_states_both_ids(
    tmp_path: Path, bundle: Bundle
) -> None:
    put(bundle, store_of(bundle, enrolled("Owl", (Sense.IMAGE, 200))))
    shutil.rmtree(bundle.folder)
    other = make_bundle(bundle.folder, towers="another")
    assert other.model_id != bundle.model_id
    message = f"holds vectors of model {bundle.model_id}, but the bundle is model {other.model_id}"
    with pytest.raises(InputError, match=re.escape(message)):
        load_store(other)
    with pytest.raises(InputError, match=re.escape(message)), edit_store(other):
        pytest.fail("the store must not be opened")


def test_an_edit_that_fails_changes_nothing(bundle: Bundle) -> None:
    put(bundle, store_of(bundle, enrolled("Owl", (Sense.IMAGE, 200))))
    before = store_path(bundle).read_bytes()
    with pytest.raises(KeyboardInterrupt), edit_store(bundle) as editor:
        editor.store = Store(bundle.model_id)
        raise KeyboardInterrupt
    assert store_path(bundle).read_bytes() == before


def test_an_edit_that_changes_nothing_writes_nothing(bundle: Bundle) -> None:
    with edit_store(bundle):
        pass
    assert not store_path(bundle).exists()


def test_leftovers_of_a_crash_are_ignored(bundle: Bundle) -> None:
    """A process that dies before it renames the file leaves a temporary file and the lock."""
    put(bundle, store_of(bundle, enrolled("Owl", (Sense.IMAGE, 200))))
    path = store_path(bundle)
    half = store_of(bundle, enrolled("Half", (Sense.IMAGE, 100))).dump()
    path.with_name(".species.store.abc123").write_bytes(half[: len(half) // 2])
    path.with_name("lock").touch()
    assert list(load_store(bundle).enrolled) == ["Owl"]
    put(bundle, store_of(bundle, enrolled("Jackdaw", (Sense.IMAGE, 100))))
    assert list(load_store(bundle).enrolled) == ["Jackdaw"]


def test_two_processes_can_enrol_at_the_same_time(bundle: Bundle) -> None:
    environment = {**os.environ, "PYTHONPATH": str(SUPPORT)}
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(bundle.folder), name, str(ENROLMENTS)],
            env=environment,
        )
        for name in ("Owl", "Tit")
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    expected = {f"{name} {index}" for name in ("Owl", "Tit") for index in range(ENROLMENTS)}
    assert set(load_store(bundle).enrolled) == expected


def test_a_killed_process_leaves_a_complete_store(bundle: Bundle) -> None:
    """It is killed twice; all species up to a point are stored, without a gap."""
    environment = {**os.environ, "PYTHONPATH": str(SUPPORT)}
    for turn in range(2):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(bundle.folder), f"T{turn}", "100000"],
            env=environment,
        )
        target = store_path(bundle)
        before = target.stat().st_mtime_ns if target.exists() else 0
        while writer.poll() is None and (
            not target.exists() or target.stat().st_mtime_ns == before
        ):
            pass
        writer.kill()
        writer.wait()
        kept = [label for label in load_store(bundle).enrolled if label.startswith(f"T{turn} ")]
        assert kept == [f"T{turn} {index}" for index in range(len(kept))] and kept


def test_an_enrolled_species_has_a_prototype_for_each_set_of_senses(bundle: Bundle) -> None:
    """Pictures at 190 and 210 degrees, a sound at 220: means at 200 and 220, of pairs at 210.

    The factory's photographs and pairs have one centre, so an average sound leaves a pair at 200;
    with one recording it counts as much as the recording: 205.
    """
    owl = enrolled("Owl", (Sense.IMAGE, 190), (Sense.IMAGE, 210), (Sense.AUDIO, 220))
    gallery = merged_gallery(bundle, store_of(bundle, owl), BluePitch().fuse)
    assert gallery.labels == ("Jay", "Robin", "Wren", "Owl")
    own = gallery.owner == 3
    # The means by sight, sound and both, which is longer; then each photograph.
    assert gallery.senses[own].tolist() == [0, 1, 2, 0, 0]
    assert np.allclose(
        gallery.vectors[own], [at(200), at(220), 1.1 * at(205), at(190), at(210)], atol=1e-3
    )
    assert np.allclose(gallery.thresholds[3], bundle.calibration.threshold)


@pytest.mark.parametrize(("photographs", "length"), [(1, 1.1), (5, 1.1), (10, 1.05), (50, 1.01)])
def test_the_prototype_of_both_is_longer_for_fewer_photographs(
    bundle: Bundle, photographs: int, length: float
) -> None:
    owl = enrolled("Owl", *[(Sense.IMAGE, 200)] * photographs, (Sense.AUDIO, 200))
    gallery = merged_gallery(bundle, store_of(bundle, owl), BluePitch().fuse)
    both = gallery.vectors[(gallery.owner == 3) & (gallery.senses == 2)]
    assert np.allclose(both, [length * at(200)], atol=1e-3)


def test_the_similarity_to_an_enrolled_file_is_at_most_1(bundle: Bundle) -> None:
    owl = enrolled("Owl", (Sense.IMAGE, 200), (Sense.AUDIO, 200))
    gallery = merged_gallery(bundle, store_of(bundle, owl), BluePitch().fuse)
    decision = decide(BluePitch(), gallery, at(200), at(200))
    assert decision.species == "Owl" and decision.similarity == 1.0


def test_more_samples_of_a_factory_species_do_not_lengthen_prototypes(bundle: Bundle) -> None:
    robin = enrolled("Robin", (Sense.IMAGE, 80), (Sense.AUDIO, 80))
    more = merged_gallery(bundle, store_of(bundle, robin), BluePitch().fuse)
    assert np.allclose(np.linalg.norm(more.vectors, axis=1), 1, atol=1e-3)


def test_more_samples_of_a_factory_species_add_prototypes(bundle: Bundle) -> None:
    """The robin is at 60 degrees, and a sample at 80; birds at both angles have the cosine 1."""
    more = merged_gallery(
        bundle, store_of(bundle, enrolled("Robin", (Sense.IMAGE, 80))), BluePitch().fuse
    )
    assert more.labels == ("Jay", "Robin", "Wren")
    assert np.allclose(more.similarities(at(80)[None], Sense.IMAGE)[0, 1], 1)
    assert np.allclose(more.similarities(at(60)[None], Sense.IMAGE)[0, 1], 1)


def test_a_removed_species_loses_all_its_prototypes(bundle: Bundle) -> None:
    """Without the robin at 60 degrees, the jay at 0 and the wren at 120 are equally near it."""
    gone = replace(Store(bundle.model_id), removed=frozenset({"Robin"}))
    gallery = merged_gallery(bundle, gone, BluePitch().fuse)
    assert gallery.labels == ("Jay", "Wren") and gallery.owner.tolist() == [0] * 3 + [1] * 3
    assert np.allclose(gallery.similarities(at(60)[None], Sense.IMAGE), [[0.5, 0.5]], atol=1e-6)
    assert gallery.thresholds.shape == (2, 3)


def test_background_prototypes_stay_with_every_change(bundle: Bundle) -> None:
    gallery = replace(
        factory(), background_vectors=at(200)[None], background_senses=np.array([1], np.uint8)
    )
    (bundle.folder / "species.npz").write_bytes(gallery.dump())
    changed = replace(
        store_of(bundle, enrolled("Owl", (Sense.IMAGE, 90))),
        removed=frozenset({"Jay"}),
        renamed={"Wren": "Winter Wren"},
    )
    gallery = merged_gallery(bundle, changed, BluePitch().fuse)
    assert gallery.labels == ("Robin", "Winter Wren", "Owl")
    assert np.array_equal(gallery.background_vectors, at(200)[None])
    assert gallery.background_senses.tolist() == [1]


def test_all_factory_species_may_be_removed(bundle: Bundle) -> None:
    gone = replace(
        store_of(bundle, enrolled("Owl", (Sense.IMAGE, 5))),
        removed=frozenset({"Jay", "Robin", "Wren"}),
    )
    assert merged_gallery(bundle, gone, BluePitch().fuse).labels == ("Owl",)


def test_a_renamed_species_keeps_its_prototypes(bundle: Bundle) -> None:
    named = replace(Store(bundle.model_id), renamed={"Jay": "Häher"})
    gallery = merged_gallery(bundle, named, BluePitch().fuse)
    assert gallery.labels == ("Häher", "Robin", "Wren")
    assert np.array_equal(gallery.vectors, bundle.factory_gallery().vectors)


def with_entry(**changes: object) -> Callable[[Store], Store]:
    return lambda store: replace(store, enrolled={"Owl": replace(store.enrolled["Owl"], **changes)})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        with_entry(hashes=("a",)),
        with_entry(senses=(Sense.IMAGE, "smell")),
        with_entry(senses=(Sense.IMAGE,)),
        with_entry(vectors=np.zeros((3, 128), np.float32)),
        with_entry(hashes=(), senses=()),
        with_entry(vectors=np.full((2, 128), np.nan, np.float32)),
        with_entry(species=Species("")),
        with_entry(species=Species("x" * 300)),
        with_entry(species=Species("O\0wl")),
    ],
    ids=range(9),
)
def test_a_store_with_a_correct_checksum_is_still_checked(
    bundle: Bundle, change: Callable[[Store], Store]
) -> None:
    data = change(store_of(bundle, enrolled("Owl", (Sense.IMAGE, 1), (Sense.AUDIO, 2)))).dump()
    with pytest.raises(InputError):
        parse_store(data, "species.store")


def test_a_store_that_is_too_large_is_not_read(bundle: Bundle) -> None:
    path = store_path(bundle)
    path.parent.mkdir()
    with path.open("wb") as stream:
        stream.truncate(600_000_001)
    with pytest.raises(InputError, match="600,000,001 bytes; expected a store of at most"):
        load_store(bundle)


@pytest.mark.parametrize("obstacle", ["a file for a folder", "a folder for a file"])
def test_a_store_that_cannot_be_written_is_refused(bundle: Bundle, obstacle: str) -> None:
    path = store_path(bundle)
    if obstacle == "a file for a folder":
        path.parent.touch()
    else:
        path.mkdir(parents=True)
    with pytest.raises(InputError, match="species.store: cannot be "), edit_store(bundle) as editor:
        editor.store = Store(bundle.model_id, removed=frozenset({"Jay"}))
