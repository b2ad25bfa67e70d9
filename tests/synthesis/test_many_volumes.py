"""A thousand scans in one process keep no memory and no open file."""

from __future__ import annotations

from pathlib import Path

import pytest

from surgplan.synthesis import VolumeSettings
from surgplan.training import DatasetSettings, stream_volumes

PROCESS = Path("/proc/self")
COUNT, WARM = 1000, 150
LEAST_LEAK_MB = 30.0  # 36 kB a scan; one image alone has 240 kB


def resident_mb() -> float:
    line = next(x for x in (PROCESS / "status").read_text().splitlines() if x.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


@pytest.mark.slow
def test_a_thousand_scans_keep_nothing() -> None:
    if not (PROCESS / "status").exists():
        pytest.skip("resident memory is read from /proc")
    volumes = VolumeSettings(spacing_mm=6.0, bodies=2, lesions=2)
    settings = DatasetSettings(count=COUNT, volumes=volumes, gate=None)
    warm, files = 0.0, 0
    for number, made in stream_volumes(settings):
        assert made.facts["synthetic"]
        if number == WARM:
            warm, files = resident_mb(), len(list((PROCESS / "fd").iterdir()))
    assert resident_mb() - warm < LEAST_LEAK_MB
    assert len(list((PROCESS / "fd").iterdir())) <= files
