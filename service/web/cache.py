"""Answers that need not be worked out again: the sender has it, or this process kept it.

An answer is known by its entity tag, a digest of all that it depends on but the time it took.
"""

import hashlib
from importlib.metadata import version

from cachetools import LRUCache
from fastapi import Request

from service.model import Scorer
from service.schemas import Analysis
from service.settings import Settings
from service.taxonomy import Taxonomy

_CODE = version("fifteen")  # another version may answer otherwise, or in another shape


def tag_of(
    upload: bytes, model: Scorer, settings: Settings, taxonomy: Taxonomy, *, timeline: bool
) -> str:
    """Return the entity tag of an answer; it is weak, for the timings are not in it.

    Parameters
    ----------
    upload : bytes
    model : Scorer
    settings : Settings
    taxonomy : Taxonomy
    timeline : bool
    """
    digest = hashlib.sha256(upload)
    names = sorted(taxonomy.names.items())
    digest.update(repr((_CODE, model.digest, settings.max_seconds, names, timeline)).encode())
    return f'W/"{digest.hexdigest()}"'


def sender_has(request: Request, tag: str) -> bool:
    """Tell whether ``If-None-Match`` names a tag; ``*`` makes no sense for a POST: none."""
    given = ",".join(request.headers.getlist("if-none-match")).split(",")
    return tag.removeprefix("W/") in {each.strip().removeprefix("W/") for each in given}


class Results:
    """The answers that were asked for last, by their tags.

    Parameters
    ----------
    entries : int
        How many are kept; none for 0.
    """

    def __init__(self, entries: int) -> None:
        self._kept: LRUCache[str, Analysis] = LRUCache(entries)

    def get(self, tag: str) -> Analysis | None:
        """Return the answer that has a tag, if it was kept."""
        return self._kept.get(tag)

    def keep(self, tag: str, analysis: Analysis) -> None:
        """Keep an answer, in place of the one that was asked for longest ago."""
        if self._kept.maxsize:
            self._kept[tag] = analysis
