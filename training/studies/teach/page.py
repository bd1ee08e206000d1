"""Writes the figures as a page."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from training.markdown import table
from training.studies.teach.measures import Claim, Novelty, Right, Subgenres, mean
from training.types import Indices


@dataclass(frozen=True)
class Results:
    """All measurements.

    Attributes
    ----------
    clips : int64 [shape=(n_genres,)]
        Tested clips of each genre.
    other : int
        Tested clips of other music.
    heard, unheard : dict of int to list of Right
        By number of recordings; taught from the training part, and from tested clips only.
    claims : dict of int to list of Claim
    left_out : list of Novelty
        By genre.
    scalings, novelties : dict of str to list of float
        Figures of alternatives, by number of recordings.
    """

    genres: list[str]
    clips: Indices
    other: int
    draws: int
    shipped: Right
    everything: Right
    heard: dict[int, list[Right]]
    unheard: dict[int, list[Right]]
    claims: dict[int, list[Claim]]
    left_out: list[Novelty]
    subgenres: list[Subgenres]
    scalings: dict[str, list[float]]
    novelties: dict[str, list[float]]


def page(results: Results) -> str:
    """Return the page."""
    sections = (
        _INTRODUCTION.format(clips=results.clips.sum(), draws=results.draws),
        "## The nine genres, taught\n\n" + _genres(results),
        "## Does the card tell the truth?\n\n" + _claims(results),
        "## None of these\n\n" + _left_out(results),
        "## Subgenres\n\n" + _subgenres(results.subgenres),
        "## What else was tried\n\n" + _alternatives(results),
        _LIMITS.format(fewest=results.clips.min()),
    )
    return "\n\n".join(sections) + "\n"


def _genres(results: Results) -> str:
    rows = [_row("the shipped model", results.shipped, None)]
    for count, rights in results.heard.items():
        rows.append(_row(f"head, {count} recordings of each", *mean(rights)))
    most = f"head, all {results.everything.taught.sum():.0f} recordings"
    rows.append(_row(most, results.everything, None))
    for count, rights in results.unheard.items():
        rows.append(_row(f"head, up to {count}, none of them heard", *mean(rights)))
    header = ("", "mean recall", "accuracy", "calibration error", "taught of the rarest genre")
    columns = {str(count): mean(rights)[0].recall for count, rights in results.heard.items()}
    by_genre = [
        (genre, results.clips[place], f"{results.shipped.recall[place]:.2f}",
         *(f"{recall[place]:.2f}" for recall in columns.values()),
         f"{results.everything.recall[place]:.2f}")
        for place, genre in enumerate(results.genres)
    ]  # fmt: skip
    names = ("genre", "tested clips", "shipped model", *columns, "all")
    return f"{table(header, rows)}\n{_GENRES}{table(names, by_genre)}"


def _row(name: str, right: Right, spread: float | None) -> tuple[str, ...]:
    recall = f"{right.recall.mean():.3f}"
    return (
        name,
        recall if spread is None else f"{recall} ± {spread:.3f}",
        f"{right.accuracy:.3f}",
        f"{right.calibration:.3f}",
        "" if np.isnan(right.taught).any() else f"{right.taught.min():.0f}",
    )


def _claims(results: Results) -> str:
    rows = []
    for count, claims in results.claims.items():
        pairs = [
            _pair(values)
            for values in (
                (claim.accuracy for claim in claims),
                (claim.kept for claim in claims),
                (claim.calibration for claim in claims),
            )
        ]
        rows.append((count, *pairs))
    header = ("recordings of each", "mean recall", "not none of these", "calibration error")
    return table(header, rows) + _CLAIMS


def _pair(values: Iterable[tuple[float, float]]) -> str:
    """Return the means of what the card says and of what is true."""
    said, true = np.mean(list(values), axis=0)
    return f"{said:.2f} said, {true:.2f} true"


def _left_out(results: Results) -> str:
    def row(name: str, novelties: list[Novelty]) -> tuple[str, ...]:
        figures = [[each.kept, each.refused, each.other, each.auroc] for each in novelties]
        kept, refused, other, auroc = np.mean(figures, axis=0)
        return (name, f"{kept:.2f}", f"{refused:.2f}", f"{other:.2f}", f"{auroc:.2f}")

    rows = [row(*each) for each in zip(results.genres, ([it] for it in results.left_out),
                                       strict=True)]  # fmt: skip
    rows.append(row("mean", results.left_out))
    header = (
        "genre that is not taught", "the other eight are kept", "it is refused",
        "other music is refused", "AUROC",
    )  # fmt: skip
    return table(header, rows) + _LEFT_OUT.format(other=results.other)


def _subgenres(found: list[Subgenres]) -> str:
    rows = [
        (each.genre, name, each.tracks[place], each.artists[place], f"{each.recall[place]:.2f}")
        for each in found
        for place, name in enumerate(each.names)
    ]
    means = [
        (each.genre, len(each.names), f"{1 / len(each.names):.2f}", f"{np.mean(each.recall):.2f}",
         f"{each.left_out_refused:.2f}")
        for each in found
    ]  # fmt: skip
    summary = table(
        ("genre", "subgenres", "chance", "mean recall", "a subgenre left out is refused"), means
    )
    details = table(("genre", "subgenre", "recordings", "artists", "recall"), rows)
    return f"{_SUBGENRES}{summary}\n\n{details}"


def _alternatives(results: Results) -> str:
    counts = tuple(map(str, results.heard))
    tables = [
        table(
            (header, *counts), [(name, *(f"{it:.3f}" for it in row)) for name, row in each.items()]
        )
        for header, each in {
            "mean recall, if the vectors are divided by": results.scalings,
            "AUROC of a genre that is not taught, by": results.novelties,
        }.items()
    ]
    return _ALTERNATIVES + "\n\n".join(tables)


_INTRODUCTION = """\
# Labels taught from few recordings: how right they are

*Written by `python -m training teach`; run it again rather than edit.*

`python -m service teach` fits a head to the embedding of the shipped model. Here it is taught the
nine genres, which the shipped model knows from the labels of the whole training part, and asked
about the {clips} clips of the test part, which no network heard in training. No artist is both
taught and tested. Figures are means over {draws} random draws of the recordings that are taught;
± is their standard deviation. Accuracy counts clips, mean recall counts genres the same."""

_GENRES = """
The network behind the embedding heard the recordings of the training part, though never their
labels. In the last rows, the recordings that are taught come from the test part, too, from
other artists than those asked about; there are fewer than asked for of the rare genres.

Recall by genre:

"""

_CLAIMS = """

Each head has figures on its card, by cross-validation on what it was taught. `said` is their mean,
`true` what the tested clips say of the same heads. Cross-validation teaches with fewer
recordings than the head has in the end, so the card of a small head is modest."""

_LEFT_OUT = """

A recording is none of these if it is farther from all labels than nine of ten recordings that
were taught, held out. Each row has a head of eight genres, and asks about the ninth and about
{other} clips of other music that clearly is none of the nine. The AUROC does not depend on the
limit: it is the probability that a clip of the genre left out is farther away than one of the
others. Genres that sound alike are not told apart by distance."""

_SUBGENRES = """\
The corpus has sounds of Ishkur's Guide to Electronic Music under the guide's own subgenres. Those
of one genre with five recordings or more teach a head, as an operator would teach it; the figures
are by its cross-validation, over artists. The recordings are loops and short excerpts, and the
guide is one person's opinion.

"""

_ALTERNATIVES = """\
On the validation part, of heads taught from 5, 10 and 20 recordings of the training part. The
first row of each table is what the service does. In the space of the embedding, the directions that
vary little have little meaning, so that they must not be stretched.

"""

_LIMITS = """\
## Limits

* The genres are broad. Labels that a person hears in timbre, instruments and rhythm are learned
  from few recordings; labels about words, places or years are not in the sound.
* The tested clips are few in rare genres: {fewest} in the rarest.
* `teach --feedback` also teaches what senders said of answers. It is not measured here: there is
  none yet. The artists of feedback are not known, so its figures by cross-validation are too good
  where several words are about one artist.
* A head knows what it was taught. Teach it what it will be asked about: the same microphone, the
  same quality, several albums of each label."""
