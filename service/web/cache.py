"""Answers that need no new analysis: the client has it, or this process cached it.

An answer's key is its entity tag: a digest of everything that it depends on, without its timings.
"""

import hashlib
from importlib.metadata import version

from cachetools import LRUCache
from fastapi import Request

from service.model import Scorer
from service.schemas import Analysis
from service.settings import Settings
from service.taxonomy import Taxonomy

_CODE = version("fifteen")  # another version may give another answer, or another schema


def tag_of(
    upload: bytes,
    model: Scorer,
    settings: Settings,
    taxonomy: Taxonomy,
    **options: str | bool | None,
) -> str:
    """Return the entity tag of an answer; it is weak, because the timings are not in it.

    Parameters
    ----------
    upload : bytes
    model : Scorer
    settings : Settings
    taxonomy : Taxonomy
    options
        What the request asks for, by the names of the parameters of `analysis.analyze`; a head by
        its digest.
    """
    digest = hashlib.sha256(upload)
    names = sorted(taxonomy.names.items())
    asked = sorted((name, value) for name, value in options.items() if value)
    digest.update(repr((_CODE, model.digest, settings.max_seconds, names, asked)).encode())
    return f'W/"{digest.hexdigest()}"'


def client_has(request: Request, tag: str) -> bool:
    """Return whether ``If-None-Match`` has a tag; ``*`` has none: a POST gives it no meaning."""
    given = ",".join(request.headers.getlist("if-none-match")).split(",")
    return tag.removeprefix("W/") in {each.strip().removeprefix("W/") for each in given}


class AnswerCache:
    """The most recently used answers, by their tags.

    Parameters
    ----------
    entries : int
        Size of the cache; 0 turns it off.
    """

    def __init__(self, entries: int) -> None:
        self._answers: LRUCache[str, Analysis] = LRUCache(entries)

    def get(self, tag: str) -> Analysis | None:
        """Return the answer with a tag, if it is cached."""
        return self._answers.get(tag)

    def put(self, tag: str, analysis: Analysis) -> None:
        """Cache an answer, in place of the least recently used one."""
        if self._answers.maxsize:
            self._answers[tag] = analysis
