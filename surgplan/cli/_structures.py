"""What a label map holds, for programs and for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surgplan.cli._outcome import one_line

if TYPE_CHECKING:
    from rich.table import Table

    from surgplan.volume import LabelMap


def structures(label_map: LabelMap) -> list[dict[str, object]]:
    """Each structure that has a voxel: number, name, code, millilitres by counting voxels."""
    voxel_ml = label_map.geometry.voxel_volume_mm3 / 1000
    counts = label_map.counts()
    return [
        {
            "label": s.label,
            "name": s.name,
            "code": f"{s.code.scheme}:{s.code.value}",
            "volume_ml": round(float(counts[s.label]) * voxel_ml, 3),
        }
        for s in label_map.segments
        if counts[s.label]
    ]


def structures_table(label_map: LabelMap, *, title: str) -> Table:
    """The same as a table."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left", box=None, pad_edge=False)
    table.add_column("label", justify="right")
    table.add_column("structure")
    table.add_column("ml", justify="right")
    for row in structures(label_map):
        table.add_row(
            str(row["label"]), Text(one_line(str(row["name"]))), f"{row['volume_ml']:.1f}"
        )
    return table
