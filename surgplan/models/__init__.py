"""In: nothing, this room holds files. Out: the shipped networks, one MONAI bundle per folder.

Weights are safetensors, each with its checksum and model card; see `surgplan.segmentation`.
"""
