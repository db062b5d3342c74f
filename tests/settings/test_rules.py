"""Rules: which answers are wanted, and which species are expected in a week."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from fakes import BluePitch, at, factory
from recorder_scene import NOON, start_recorder, visits, window

from birdfield.errors import ConfigError
from birdfield.model.species import Species
from birdfield.recognise.decide import decide
from birdfield.recognise.reason import Reason
from birdfield.settings.checklist import week_of
from birdfield.settings.configuration import load_config
from birdfield.settings.resolve import ResolvedSettings
from birdfield.settings.rules import LiveRules, LogPrior, Rules, rules_of

SPECIES = (
    Species("Jay", "Garrulus glandarius", {"de": "Eichelhäher"}),
    Species("Robin"),
    Species("Wren"),
)


def rules_from(folder: Path, text: str) -> Rules:
    path = folder / "birdfield.toml"
    path.write_text(text, encoding="utf-8")
    return rules_of(load_config(path), SPECIES, None)


@pytest.mark.parametrize("name", ["jay", "GARRULUS Glandarius", "Eichelha\u0308her", "_Jay_"])
def test_a_species_may_be_named_by_any_of_its_names(name: str, tmp_path: Path) -> None:
    """The third name has a combining mark, as file names on a Mac have."""
    assert rules_from(tmp_path, f'[species]\nexclude = ["{name}"]').exclude == {"Jay"}


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        rules_from(folder, text)
    return str(refused.value).replace(f"{folder}/", "")


def test_a_name_that_the_model_does_not_know_is_refused_with_its_line(tmp_path: Path) -> None:
    assert refusal(tmp_path, "[species.thresholds]\nWern = 0.5\nDodo = 0.5") == (
        "birdfield.toml, line 2: species.thresholds.Wern names 'Wern', which the model does not "
        "know; did you mean Wren?; birdfield.toml, line 3: species.thresholds.Dodo names 'Dodo', "
        "which the model does not know"
    )


def test_an_entry_of_a_checklist_that_the_model_does_not_know_is_refused(tmp_path: Path) -> None:
    """A misspelled species would be taken for one that is not expected."""
    (tmp_path / "list.csv").write_text("species,weeks\nWren,\nRobbin,\n", encoding="utf-8")
    assert refusal(tmp_path, '[species]\nchecklist = "list.csv"') == (
        "list.csv, line 3 names 'Robbin', which the model does not know; did you mean Robin?"
    )
    (tmp_path / "list.csv").write_text(
        "species,weeks\n" + "".join(f"Dodo {number},\n" for number in range(8)), encoding="utf-8"
    )
    words = refusal(tmp_path, '[species]\nchecklist = "list.csv"')
    assert words.count("does not know") == 5 and words.endswith("; and 3 more")


@pytest.mark.parametrize("key", ["include", "exclude"])
def test_a_name_of_two_species_is_refused_with_both(key: str, tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text(
        "label,scientific,lang,name\nJay,Garrulus glandarius,de,Häher\n"
        "Robin,Perisoreus infaustus,de,Häher\n",
        encoding="utf-8",
    )
    path = tmp_path / "birdfield.toml"
    path.write_text(f'[species]\n{key} = ["häher"]\n[names]\nfile = "names.csv"')
    with pytest.raises(ConfigError) as refused:
        ResolvedSettings(load_config(path), {}).check(factory().species)
    assert str(refused.value) == (
        f"{path}, line 2: species.{key}: 'häher' is a name of Jay (Garrulus glandarius), Robin "
        "(Perisoreus infaustus); use the label or the scientific name of one of them"
    )
    path.write_text(f'[species]\n{key} = ["garrulus GLANDARIUS"]\n[names]\nfile = "names.csv"')
    rules = ResolvedSettings(load_config(path), {}).rules(load_config(path), factory().species)
    assert getattr(rules, key) == {"Jay"}


def test_a_checklist_with_a_name_of_two_species_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("species,weeks\nHäher,\n", encoding="utf-8")
    path = tmp_path / "birdfield.toml"
    path.write_text('[species]\nchecklist = "list.csv"')
    jays = [Species(label, None, {"de": "Häher"}) for label in ("Blue Jay", "Green Jay")]
    with pytest.raises(ConfigError, match="line 2: 'Häher' is a name of Blue Jay, Green Jay; use"):
        rules_of(load_config(path), jays, None)


def test_two_values_of_one_species_are_refused(tmp_path: Path) -> None:
    words = refusal(tmp_path, '[species.thresholds]\nWren = 0.5\n"w-ren" = 0.9')
    assert "line 3: species.thresholds.w-ren: Wren has a value already" in words


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("", "Jay Robin Wren"),
        ('include = ["Jay", "Wren"]', "Jay Wren"),
        ('exclude = ["Jay"]', "Robin Wren"),
        ('include = ["Jay"]\nexclude = ["Jay"]', ""),
        ("threshold = 0.6", ""),
        ("threshold = 0.6\n[species.thresholds]\nJay = 0.5", "Jay"),
        ("[species.thresholds]\nJay = 0.51", "Robin Wren"),
        (
            "[species.snooze]\nJay = 2026-05-01T12:00:01Z\nRobin = 2026-05-01T12:00:00Z",
            "Robin Wren",
        ),
    ],
)
def test_rules_allow_the_answers_that_are_wanted(text: str, allowed: str, tmp_path: Path) -> None:
    """Each answer has a score of 0.5, at noon UTC of 2026-05-01."""
    rules = rules_from(tmp_path, f"[species]\n{text}")
    assert [each.label for each in SPECIES if rules.allow(each.label, 0.5, NOON)] == allowed.split()


def test_an_answer_that_is_not_wanted_becomes_unknown() -> None:
    decision = decide(BluePitch(), factory(), at(2), None)
    applied = Rules(exclude=frozenset({"Jay"})).apply(decision, NOON)
    assert decision.species == "Jay" and applied == replace(
        decision, species=None, reason=Reason.EXCLUDED, refused="Jay", figure=None
    )


def test_an_excluded_species_has_no_visit(tmp_path: Path) -> None:
    live = LiveRules(Rules(exclude=frozenset({"Robin"})))
    stage = start_recorder(tmp_path, rules=live)
    for number in range(40):
        if number == 20:
            live.current = Rules()  # as a reload does
        stage.add(window(number, seen=0 if number < 3 else 60))
    stage.close()
    first, second = visits(tmp_path)
    assert (first.species, second.species) == ("Jay", "Robin")
    assert second.start_s > 15 * 2.4  # the visit begins once the species is allowed


def test_a_checklist_is_a_prior(tmp_path: Path) -> None:
    """A bird at 31 degrees is a little nearer to the Robin, at 60, than to the Jay, at 0.

    The cosines are 0.875 and 0.857. At temperature 0.1, a prior of a tenth reduces that of the
    Robin by 0.1 x ln 10 to 0.875 - 0.230 = 0.645: the Jay is answered, at ten times the odds.
    """
    log_prior = prior_of(tmp_path, "species,weeks\nEichelhäher,\nROBIN,1-10\n")
    assert log_prior(5).tolist() == [0.0, 0.0, np.log(0.1)]
    live, gallery = LiveRules(Rules(log_prior=log_prior)), factory()
    winter, summer = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    assert week_of(winter) == 5 and week_of(summer) == 27
    then = decide(BluePitch(), live.with_prior(gallery, winter), at(31), None)
    now = decide(BluePitch(), live.with_prior(gallery, summer), at(31), None)
    assert (then.species, now.species) == ("Robin", "Jay")
    odds = [dict(each.top)["Jay"] / dict(each.top)["Robin"] for each in (then, now)]
    assert odds[1] / odds[0] == pytest.approx(10, rel=1e-3)
    assert live.with_prior(gallery, summer) is live.with_prior(gallery, summer + timedelta(days=1))
    assert LiveRules().with_prior(gallery, summer) is gallery


def test_an_unexpected_species_needs_a_higher_similarity(tmp_path: Path) -> None:
    """At 50 degrees from the Wren the cosine is 0.643, over 0.5; less 0.230 it is 0.413."""
    log_prior = prior_of(tmp_path, "species,weeks\n,\nJay,\n , \nRobin,\n,\n")
    gallery = factory()
    assert decide(BluePitch(), gallery, at(170), None).species == "Wren"
    with_prior = LiveRules(Rules(log_prior=log_prior)).with_prior(gallery, NOON)
    assert decide(BluePitch(), with_prior, at(170), None).species is None
    assert decide(BluePitch(), with_prior, at(125), None).species == "Wren"


def test_lists_may_use_the_names_of_the_users_csv(tmp_path: Path) -> None:
    """The model has labels alone; the CSV adds the German and the scientific names."""
    (tmp_path / "names.csv").write_text(
        "label,scientific,lang,name\njay,Garrulus glandarius,de,Häher\nOwl,Strix aluco,de,Kauz\n",
        encoding="utf-8",
    )
    (tmp_path / "list.csv").write_text("species,weeks\nHäher,\n", encoding="utf-8")
    path = tmp_path / "birdfield.toml"
    path.write_text(
        '[species]\nexclude = ["garrulus glandarius"]\nchecklist = "list.csv"\n'
        '[names]\nfile = "names.csv"\n',
        encoding="utf-8",
    )
    config = load_config(path)
    rules = ResolvedSettings(config, {}).rules(config, factory().species)
    assert rules.exclude == {"Jay"}
    assert rules.log_prior is not None
    assert (
        rules.log_prior(5).tolist()[0]
        == 0
        > rules.log_prior(5).max(initial=-1, where=[False, True, True])
    )


def prior_of(folder: Path, text: str) -> LogPrior:
    """Return the prior of a checklist, with the factor 0.1 for species that are not expected."""
    (folder / "list.csv").write_text(text, encoding="utf-8")
    prior = rules_from(folder, '[species]\nchecklist = "list.csv"\nunexpected = 0.1').log_prior
    assert prior is not None
    return prior
