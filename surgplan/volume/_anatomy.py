"""The anatomy vocabulary: label numbers, names, SNOMED CT codes and colours in every file.

Colours follow the habits of liver surgery (portal vein blue-violet, hepatic veins cyan-blue,
arteries red, bile green). Any two lie at least 15 apart in CIELAB, those inside the liver 25.
"""

from __future__ import annotations

from surgplan.volume._segment import Code, Segment


def _segment(
    label: int, name: str, value: str, meaning: str, colour: tuple[int, int, int]
) -> Segment:
    return Segment(label=label, name=name, code=Code(value=value, meaning=meaning), colour=colour)


LIVER = _segment(1, "liver parenchyma", "10200004", "Liver", (183, 96, 78))
LIVER_TUMOUR = _segment(2, "liver tumour", "126851005", "Neoplasm of liver", (240, 205, 70))
PORTAL_VEIN = _segment(3, "portal vein", "32764006", "Portal vein", (128, 88, 200))
HEPATIC_VEINS = _segment(4, "hepatic veins", "8993003", "Hepatic vein", (58, 142, 214))
VENA_CAVA = _segment(5, "inferior vena cava", "64131007", "Inferior vena cava", (32, 78, 158))
ARTERIES = _segment(6, "aorta and arteries", "51114001", "Artery", (214, 46, 46))
BILIARY = _segment(7, "gallbladder and bile ducts", "34707002", "Biliary tract", (86, 160, 70))
SPLEEN = _segment(8, "spleen", "78961009", "Spleen", (157, 108, 162))
RIGHT_KIDNEY = _segment(9, "right kidney", "9846003", "Right kidney", (128, 58, 36))
LEFT_KIDNEY = _segment(10, "left kidney", "18639004", "Left kidney", (168, 88, 112))
STOMACH = _segment(11, "stomach", "69695003", "Stomach", (216, 132, 130))
PANCREAS = _segment(12, "pancreas", "15776009", "Pancreas", (249, 180, 111))
LUNGS = _segment(13, "lungs", "39607008", "Lung", (188, 192, 200))
BONE = _segment(14, "bone", "272673000", "Bone", (241, 214, 145))
BOWEL = _segment(15, "duodenum and bowel", "113276009", "Intestine", (205, 167, 142))
LIVER_CYST = _segment(16, "liver cyst", "85057007", "Cyst of liver", (140, 214, 222))

ANATOMY: tuple[Segment, ...] = (
    LIVER, LIVER_TUMOUR, PORTAL_VEIN, HEPATIC_VEINS, VENA_CAVA, ARTERIES, BILIARY, SPLEEN,
    RIGHT_KIDNEY, LEFT_KIDNEY, STOMACH, PANCREAS, LUNGS, BONE, BOWEL, LIVER_CYST,
)  # fmt: skip
"""The sixteen structures, by label 1..16."""

_COUINAUD = (
    ("I", "71133005", (230, 159, 0)),
    ("II", "277956007", (86, 180, 233)),
    ("III", "277957003", (0, 158, 115)),
    ("IV", "277958008", (240, 228, 66)),
    ("V", "277959000", (0, 114, 178)),
    ("VI", "277960005", (213, 94, 0)),
    ("VII", "277961009", (204, 121, 167)),
    ("VIII", "277962002", (150, 150, 150)),
)

COUINAUD: tuple[Segment, ...] = tuple(
    _segment(number, f"segment {roman}", value, f"Couinaud hepatic segment {roman}", colour)
    for number, (roman, value, colour) in enumerate(_COUINAUD, start=1)
)
"""The eight segments of Couinaud, by label 1..8, in label maps of their own."""
