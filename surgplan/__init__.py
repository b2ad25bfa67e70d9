"""In: a CT or MR scan. Out: a surgical resection that has been rehearsed, checked and reported.

Research and education only: not a medical device.
"""

from importlib.metadata import version

__version__ = version("surgplan")

NOT_A_MEDICAL_DEVICE = "Research and education only. Not a medical device."

__all__ = ["NOT_A_MEDICAL_DEVICE", "__version__"]
