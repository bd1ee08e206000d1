"""What the words and numbers of an answer mean, by the model's card."""

from typing import Any, get_args

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

from service.card import Card, CardPart
from service.schemas import Analysis, Features, WarningType
from service.taxonomy import Taxonomy
from service.verdict import VERDICTS, Verdict

LIMITS = "limits"


class UnknownTermError(ValueError):
    """There is no such term. The message is for the agent, in one line."""


class Meaning(BaseModel):
    """What a term means, and the figures that show how right the model is about it."""

    term: str
    meaning: str
    figures: dict[str, Any] = Field(
        description="Measured on held-out recordings, by artists that the training did not have."
    )


def explain(term: str, card: Card, taxonomy: Taxonomy) -> Meaning:
    """Explain a genre, a verdict, a member of an answer, or the model's limits.

    Raises
    ------
    UnknownTermError
        If the term is none of these.
    """
    meanings = {
        **{name: _member(name, field, card) for name, field in _fields().items()},
        **{verdict: _verdict(verdict, card) for verdict in VERDICTS},
        **{genre: _genre(genre, card, taxonomy) for genre in taxonomy.rename(card.genres)},
        LIMITS: Meaning(term=LIMITS, meaning=" ".join(card.limits), figures={}),
    }
    found = {name.casefold(): meaning for name, meaning in meanings.items()}.get(term.casefold())
    if found is None:
        raise UnknownTermError(f"{term!r} is not known here. Known are: {', '.join(meanings)}.")
    return found


def _fields() -> dict[str, FieldInfo]:
    """Return the members of an answer by name."""
    return Features.model_fields | Analysis.model_fields


def _member(name: str, field: FieldInfo, card: Card) -> Meaning:
    """Explain a member of an answer."""
    meaning = field.description or getattr(field.annotation, "__doc__", None) or field.title or ""
    if name == "warnings":
        meaning += f" They are: {', '.join(get_args(WarningType))}."
    measured = card.figures.folds
    figures: dict[str, Any] = {}
    if name in ("genre", "genres"):
        figures = measured.genre.model_dump(exclude={"per_genre", "confusion"})
    elif rows := [row for row in measured.emotion if row.emotion == name]:
        figures = {"half_of_80_percent_interval": card.intervals.get(rows[0].emotion)}
        figures["by_origin_of_labels"] = _dumped(rows)
    elif name == "mood":
        figures = {"by_origin_of_labels": _dumped(measured.mood)}
    elif name == "embedding":
        figures = {"neighbours": _dumped(card.figures.neighbours)}
    elif taught := [row for row in card.figures.features if row.feature == name]:
        figures = {"fidelity_to_its_teacher": _dumped(taught)}
    return Meaning(term=name, meaning=meaning, figures=figures)


def _verdict(verdict: Verdict, card: Card) -> Meaning:
    """Explain a verdict with the model's thresholds, and tell how often it is given."""
    thresholds = card.thresholds
    meaning = {
        "confident": "It is music of a genre that the model knows, and the most probable genre "
        f"leads by {thresholds.margin:g} or more. The genre can be trusted.",
        "mixed": "It is music of a genre that the model knows, but the two most probable genres "
        f"are less than {thresholds.margin:g} apart. Read both.",
        "unknown_genre": f"It is music, but `known` is below {thresholds.known:g}: its genre is "
        "probably none of the model's. Valence, energy and danceability still hold.",
        "not_music": f"`music` is below {thresholds.music:g}. Genres and emotions mean little.",
        "silence": f"No sample is above {thresholds.silence_dbfs:g} dBFS. Scores mean nothing.",
    }[verdict]
    figures: dict[str, Any] = {
        f"share among recordings of the kind {row.kind}": row.verdicts.get(verdict)
        for row in card.figures.folds.verdicts
    }
    if verdict == "confident":
        figures |= {
            f"accuracy among recordings of the kind {row.kind}": row.confident_accuracy
            for row in card.figures.folds.verdicts
            if row.confident_accuracy is not None
        }
    return Meaning(term=verdict, meaning=meaning, figures=figures)


def _genre(genre: str, card: Card, taxonomy: Taxonomy) -> Meaning:
    """Explain a genre: what the model was trained on, and how right it is."""
    own = [name for name in card.genres if taxonomy.names.get(name, name) == genre]
    rows = [row for row in card.figures.folds.genre.per_genre if row.genre in own]
    recordings = sum(count for name in own for count in card.data.genres.get(name, {}).values())
    meaning = (
        f"One of the genres that the model distinguishes: {', '.join(card.genres)}. It is learnt "
        f"from recordings, {recordings:,} of this one, not from a definition; each recording gets "
        "a probability for every genre. Precision: how many of the recordings with this answer "
        "have this label. Recall: how many with this label get this answer."
    )
    return Meaning(term=genre, meaning=meaning, figures={"recordings": _dumped(rows)})


def _dumped(rows: list[Any]) -> list[dict[str, Any]]:
    """Return parts of a card as JSON."""
    return [row.model_dump(mode="json") for row in rows if isinstance(row, CardPart)]
