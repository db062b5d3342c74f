import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import BluePitch, at, make_bundle
from stores import enrolled, store_of

from birdfield.errors import InputError
from birdfield.model.bundle import Bundle
from birdfield.model.merged_gallery import merged_gallery
from birdfield.model.sense import Sense
from birdfield.model.species import Species
from birdfield.model.store import Enrolled, Store
from birdfield.model.store_file import edit_store, load_store, stale_stores, store_path

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


def put(bundle: Bundle, store: Store) -> None:
    with edit_store(bundle) as editor:
        editor.store = store


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
