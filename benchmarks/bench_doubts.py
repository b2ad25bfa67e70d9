"""How often a spoilt scan is doubted for the right reason, and a sound one without one.

    python benchmarks/bench_doubts.py [--model NAME] [--seeds 601-610] [--threads 2]
                                      [--json docs/doubts.json]

Every phantom (contrast-enhanced, portal phase, three lesions) is segmented as it is and spoilt in
six ways; a way counts as caught when one of the doubts that name it is raised. A doubt about a
single lesion is no false alarm: it is the confidence that stands beside every lesion.

Phantoms are drawn figures; on patients the rates will be worse.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from surgplan.io import write_json
from surgplan.phantom import Phantom, PhantomSettings, make_phantom, render_ct, render_mr
from surgplan.segmentation import SegmentSettings, find_model, segment
from surgplan.volume import Volume

SPACING_MM = (3.0, 2.0, 2.0)
ABOUT_A_LESION = {"tumour unsure"}


def main() -> None:
    """Segment every phantom in every way and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default=None)
    parser.add_argument("--seeds", default="601-610", help="first and last phantom")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    first, last = (int(word) for word in options.seeds.split("-"))
    settings = SegmentSettings(model=options.model, threads=options.threads)
    caught: dict[str, list[bool]] = {way: [] for way in WAYS}
    alarms: list[list[str]] = []
    for seed in range(first, last + 1):
        phantom = make_phantom(PhantomSettings(seed=seed, spacing_mm=SPACING_MM))
        sound = segment(render_ct(phantom, seed=seed, phase="portal"), settings=settings)
        alarms.append(sorted({d.kind for d in sound.doubts} - ABOUT_A_LESION))
        for way, (spoil, named) in WAYS.items():
            doubts = segment(spoil(phantom, seed), settings=settings).doubts
            caught[way].append(bool({d.kind for d in doubts} & named))
        print(
            f"phantom {seed}: {alarms[-1]}, { ({w: c[-1] for w, c in caught.items()}) }", flush=True
        )
    print("| scan | share |\n|---|---|")
    for way, hits in caught.items():
        print(f"| {way}: caught | {np.mean(hits):.0%} of {len(hits)} |")
    every = [hit for hits in caught.values() for hit in hits]
    false = [bool(a) for a in alarms]
    print(f"| all spoilt: caught | {np.mean(every):.0%} of {len(every)} |")
    print(f"| sound: doubted | {np.mean(false):.0%} of {len(false)} |")
    if options.json:
        model = find_model(options.model)
        found = {
            "caught": {way: float(np.mean(hits)) for way, hits in caught.items()},
            "caught_in_all": float(np.mean(every)),
            "false_alarms": float(np.mean(false)),
            "phantoms": len(false),
        }
        write_json({"model": model.name, "sha256": model.sha256, **found}, options.json)


def _shifted(phantom: Phantom, seed: int) -> Volume:
    scan = render_ct(phantom, seed=seed, phase="portal")
    return Volume(array=scan.array + np.int16(1024), geometry=scan.geometry, modality="CT")


def _mr_called_ct(phantom: Phantom, seed: int) -> Volume:
    scan = render_mr(phantom, seed=seed)
    array = np.clip(np.rint(scan.array), -1024, 3000).astype(np.int16)
    return Volume(array=array, geometry=scan.geometry, modality="CT")


def _native(phantom: Phantom, seed: int) -> Volume:
    return render_ct(phantom, seed=seed, phase="native")


def _slices(phantom: Phantom, seed: int, *, share: tuple[float, float]) -> Volume:
    """Only the slices between two heights of the liver: 0 its lower end, 1 its upper end."""
    scan = render_ct(phantom, seed=seed, phase="portal")
    liver = np.flatnonzero(phantom.label_map.whole_liver().any(axis=(1, 2)))
    low, high = liver[0], liver[-1]
    start = max(0, round(low + share[0] * (high - low)))
    stop = min(scan.geometry.shape[0], round(low + share[1] * (high - low)))
    _, rows, columns = scan.geometry.shape
    return Volume(
        array=scan.array[start:stop],
        geometry=scan.geometry.window((start, 0, 0), (stop, rows, columns)),
        modality="CT",
    )


Spoil = Callable[[Phantom, int], Volume]

WAYS: dict[str, tuple[Spoil, set[str]]] = {
    "upper half of the liver missing": (
        lambda p, s: _slices(p, s, share=(-1.0, 0.5)),
        {"liver cut off", "no liver"},
    ),
    "lower half of the liver missing": (
        lambda p, s: _slices(p, s, share=(0.5, 2.0)),
        {"liver cut off", "no liver"},
    ),
    "only what lies below the liver": (
        lambda p, s: _slices(p, s, share=(-1.0, -0.02)),
        {"no liver", "liver size"},
    ),
    "values shifted by 1024": (_shifted, {"modality or units"}),
    "MR said to be CT": (_mr_called_ct, {"modality or units"}),
    "no contrast agent": (_native, {"contrast phase", "vessels missing"}),
}


if __name__ == "__main__":
    main()
