"""The operator's own labels, taught from a few recordings of each.

A head is a small file that turns the embedding of a recording into labels::

    card         the file: figures, labels, numbers, and the space that they belong to
    scoring      embedding -> probabilities, and the distance to what was taught
    head         loads heads, and judges a recording
    fit          labelled embeddings -> a head, measured by cross-validation

`service.library.teach` is the command. Serving loads everything but `fit`.
"""

from service.heads.card import HeadCard, HeadFigures
from service.heads.head import (
    Head,
    HeadError,
    Heads,
    OtherSpaceError,
    UnknownHeadError,
    load_heads,
    read_head,
    space_of,
)

__all__ = [
    "Head",
    "HeadCard",
    "HeadError",
    "HeadFigures",
    "Heads",
    "OtherSpaceError",
    "UnknownHeadError",
    "load_heads",
    "read_head",
    "space_of",
]
