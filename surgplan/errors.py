"""Every exception that surgplan raises on purpose, and the exit code that each one means.

::

    SurgplanError                         1  something inside went wrong
    ├── UsageError (ValueError)           2  the call itself is off
    │   └── GeometryMismatchError         2  two grids that should coincide do not
    ├── InputRefusedError (ValueError)    3  reading on could be silently wrong
    │   ├── CorruptFileError                 cut short, failed checksum, not what it says it is
    │   ├── UnsafeFileError                  claims more than it can hold
    │   ├── UnsupportedImageError            2D, colour, vector or an encoding without decoder
    │   ├── GeometryError                    the slices do not make one regular grid
    │   │   ├── GantryTiltError
    │   │   ├── MissingSliceError
    │   │   ├── DuplicateSliceError
    │   │   ├── UnevenSpacingError
    │   │   └── MixedOrientationError
    │   ├── SeveralSeriesError               more than one candidate; names them
    │   ├── IntensityError                   NaN, or values that do not fit the modality
    │   ├── LabelError                       labels that cannot be mapped to structures
    │   └── ScanMismatchError                a plan or case read against another scan
    ├── NothingToDoError                  4  no input there
    ├── OutputError (OSError)             5  cannot write
    ├── ResourceLimitError (MemoryError)  6  would exceed a limit
    ├── MissingExtraError (ImportError)   7  an optional dependency; names the install line
    ├── BatchError                        8  some of many failed
    └── ModelIntegrityError (ValueError)  9  weights or model card do not fit their checksum

A message says the rule, the value and the way out, in one line.
"""

from __future__ import annotations


class SurgplanError(Exception):
    """Root of the tree."""

    exit_code = 1


class UsageError(SurgplanError, ValueError):
    """The call itself is off."""

    exit_code = 2


class GeometryMismatchError(UsageError):
    """Two grids that should coincide do not."""


class InputRefusedError(SurgplanError, ValueError):
    """An input that could only be read by guessing."""

    exit_code = 3


class CorruptFileError(InputRefusedError):
    """A file is cut short, fails its checksum or is not what its name says."""


class UnsafeFileError(InputRefusedError):
    """A file claims more than it can hold, or unpacks outside its folder."""


class UnsupportedImageError(InputRefusedError):
    """Not a scalar 3D image, or an encoding without a decoder."""


class GeometryError(InputRefusedError):
    """The slices do not make one regular grid."""


class GantryTiltError(GeometryError):
    """Slices are sheared against each other."""


class MissingSliceError(GeometryError):
    """A position between the first and the last slice is empty."""


class DuplicateSliceError(GeometryError):
    """Two slices lie at the same position."""


class UnevenSpacingError(GeometryError):
    """Distances between slices differ."""


class MixedOrientationError(GeometryError):
    """Slices of one series look in different directions."""


class SeveralSeriesError(InputRefusedError):
    """More than one series could be meant."""


class IntensityError(InputRefusedError):
    """Voxel values are not finite or do not fit the modality."""


class LabelError(InputRefusedError):
    """Labels cannot be mapped to structures without guessing."""


class ScanMismatchError(InputRefusedError):
    """A plan or a case was made on another scan."""


class NothingToDoError(SurgplanError):
    """There is no input."""

    exit_code = 4


class OutputError(SurgplanError, OSError):
    """An output cannot be written."""

    exit_code = 5


class ResourceLimitError(SurgplanError, MemoryError):
    """The work would take more memory, disk or time than allowed."""

    exit_code = 6


class MissingExtraError(SurgplanError, ImportError):
    """An optional dependency is not installed."""

    exit_code = 7

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an extra: pip install 'surgplan[{extra}]'")


class BatchError(SurgplanError):
    """Some of many studies failed."""

    exit_code = 8


class ModelIntegrityError(SurgplanError, ValueError):
    """A model's files do not fit their checksum or card."""

    exit_code = 9
