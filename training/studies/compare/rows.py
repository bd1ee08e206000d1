"""The rows of the comparison, as the table shows them.

To add a row, add it to `ROWS`: its section, the names of its features (of `features`, `backbone` or
`elsewhere`), its model and its task (`labels`). A new feature is a function from windows to an
array, and a line in `features.FEATURES`; a classifier with scikit-learn's interface needs nothing
else. The next ``python -m training compare`` computes what is missing.
"""

from dataclasses import dataclass, replace
from functools import partial

from catboost import CatBoostClassifier
from sklearn.ensemble import (
    BaggingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from training.data.teachers import AUDIO_FEATURE_COLUMNS
from training.studies.compare import labels
from training.studies.compare.classical import AsTheyAre, Classical, KMeansClusters, Regression
from training.studies.compare.elsewhere import EMBEDDING, TAGS, VIBENET
from training.studies.compare.labels import Task
from training.studies.compare.neural import Classifier, Kind, Multitask, Regressors, Transfer
from training.studies.compare.sample import Model


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes
    ----------
    section : int
        Position in `SECTIONS`, from 1.
    features : tuple of str
    name : str
        Name of the model in the table.
    model : Model
    task : Task
    seeds : int
        Number of seeds; 1 for a deterministic or slow model.
    """

    section: int
    features: tuple[str, ...]
    name: str
    model: Model
    task: Task
    seeds: int = 3


SECTIONS = (
    "Genre and emotion from curves of the spectrum",
    "Emotion as classes",
    "Statistics and embeddings",
    "Numeric attributes and kinds of music",
    "The nine-genre network",
    "Networks trained elsewhere",
)

GENRES = Task("genres", lambda clip: bool(clip.genre), labels.genres)
MERGED = Task("merged genres, other music too", lambda clip: bool(clip.kind), labels.merged)
EMOTIONS = Task("valence, energy, danceability", labels.rated, labels.emotions)
ALL_AT_ONCE = replace(EMOTIONS, name="genres, valence, energy, danceability")
FEELINGS = Task(
    "dominant feeling", lambda clip: bool(clip.votes), labels.dominant_feelings, folds="artist"
)
FEELINGS_BY_SONG = Task(
    "dominant feeling, artists on both sides",
    lambda clip: bool(clip.votes),
    labels.dominant_feelings,
    folds="song",
)
CLUSTERS = Task("three kinds", lambda clip: bool(clip.genre), labels.clusters, ("attributes",))
JAZZ = Task(
    "jazz, with and without vocal",
    lambda clip: clip.genre == "jazz",
    partial(labels.subgenres, "jazz", labels.VOCAL_JAZZ),
)
PUNK = Task(
    "pop-punk, pop or hardcore",
    lambda clip: clip.genre == "pop-punk",
    partial(labels.subgenres, "pop-punk", labels.PUNK),
)

LSTM: tuple[Kind, ...] = ("lstm",)
CNN: tuple[Kind, ...] = ("cnn",)
CNN_IN_TIME: tuple[Kind, ...] = ("cnn in time",)
DENSE: tuple[Kind, ...] = ("dense",)
BACKBONE: tuple[Kind, ...] = ("backbone",)
BAGGED = Classical(BaggingClassifier(n_estimators=100, random_state=0))
CUBIC = Classical(SVC(kernel="poly", degree=3, coef0=1))
FOREST = Classical(RandomForestClassifier(500, random_state=0))
BOOSTING = Classical(HistGradientBoostingClassifier())
LOGISTIC = Classical(LogisticRegression(C=0.1, max_iter=5_000))
BALANCED = Classical(LogisticRegression(C=0.01, class_weight="balanced", max_iter=5_000))
RIDGE = Regression(RidgeCV(tuple(10.0**power for power in range(6))))
OF_VIBENET = AsTheyAre(tuple(AUDIO_FEATURE_COLUMNS.index(scale) for scale in labels.SCALES))
CATBOOST = Classical(
    CatBoostClassifier(
        iterations=300, depth=4, random_state=0, thread_count=1, verbose=False,
        allow_writing_files=False,
    )
)  # fmt: skip
BOTH, BOTH_BY_BEAT = ("mel", "chroma"), ("mel by beat", "chroma by beat")
FINE, COARSE, LINEAR = "log 558 x 543", "log 279 x 271", "linear 279 x 271"
NO_SILENCES = "log 279 x 271, no silences"
VOTED = "embeddings without the voted"

ROWS = (
    Row(1, ("mel",), "LSTM", Classifier(LSTM), GENRES),
    Row(1, ("chroma",), "LSTM", Classifier(LSTM), GENRES),
    Row(1, BOTH, "LSTM", Classifier(LSTM), GENRES),
    Row(1, ("mel by beat",), "LSTM", Classifier(LSTM), GENRES),
    Row(1, ("chroma by beat",), "LSTM", Classifier(LSTM), GENRES),
    Row(1, BOTH_BY_BEAT, "LSTM", Classifier(LSTM), GENRES),
    Row(1, ("mel",), "CNN", Classifier(CNN), GENRES, seeds=1),
    Row(1, ("chroma",), "CNN", Classifier(CNN), GENRES),
    Row(1, BOTH, "CNN", Classifier(CNN), GENRES, seeds=1),
    Row(1, ("mel by beat",), "CNN", Classifier(CNN), GENRES),
    Row(1, ("chroma by beat",), "CNN", Classifier(CNN), GENRES),
    Row(1, BOTH_BY_BEAT, "CNN", Classifier(CNN), GENRES),
    Row(1, ("mel",), "LSTM", Classifier(LSTM), MERGED, seeds=1),
    Row(1, ("mel",), "CNN", Classifier(CNN), MERGED, seeds=1),
    Row(1, ("mel",), "LSTM, one for each scale", Regressors(LSTM), EMOTIONS, seeds=1),
    Row(1, ("mel",), "CNN, one for each scale", Regressors(CNN), EMOTIONS, seeds=1),
    Row(1, ("mel",), "LSTM of genres, fine-tuned", Transfer(LSTM), EMOTIONS, seeds=1),
    Row(1, ("mel",), "CNN of genres, fine-tuned", Transfer(CNN), EMOTIONS, seeds=1),
    Row(1, ("mel",), "LSTM, multitask", Multitask(LSTM), ALL_AT_ONCE, seeds=1),
    Row(1, ("mel",), "CNN, multitask", Multitask(CNN), ALL_AT_ONCE, seeds=1),
    Row(2, ("seventeen",), "bagged trees", BAGGED, FEELINGS),
    Row(2, ("seventeen",), "SVM", Classical(SVC()), FEELINGS),
    Row(2, ("seventeen",), "k-NN", Classical(KNeighborsClassifier()), FEELINGS),
    Row(2, (VOTED,), "cubic SVM", CUBIC, FEELINGS),
    Row(2, ("seventeen",), "SVM", Classical(SVC()), FEELINGS_BY_SONG),
    Row(2, (VOTED,), "cubic SVM", CUBIC, FEELINGS_BY_SONG),
    Row(3, ("statistics",), "SVC", Classical(SVC(C=10)), GENRES, seeds=1),
    Row(3, ("statistics",), "random forest", FOREST, GENRES),
    Row(3, ("statistics",), "gradient boosting", BOOSTING, GENRES, seeds=1),
    Row(3, ("statistics",), "logistic regression", LOGISTIC, GENRES, seeds=1),
    Row(3, ("statistics",), "CatBoost", CATBOOST, GENRES),
    Row(3, ("embeddings",), "logistic regression", LOGISTIC, GENRES, seeds=1),
    Row(3, ("embeddings",), "LSTM", Classifier(LSTM), GENRES),
    Row(3, ("embeddings",), "fully connected network", Classifier(DENSE), GENRES),
    Row(3, ("embeddings",), "CNN along time", Classifier(CNN_IN_TIME), GENRES),
    Row(4, ("attributes",), "k-means", KMeansClusters(), GENRES, seeds=1),
    Row(4, ("attributes",), "multilayer perceptron", Classifier(DENSE), GENRES),
    Row(4, ("mel",), "CNN", Classifier(CNN), GENRES, seeds=1),
    Row(4, ("attributes", "mel"), "both joined", Classifier((*DENSE, *CNN)), GENRES, seeds=1),
    Row(4, ("attributes",), "multilayer perceptron", Classifier(DENSE), CLUSTERS),
    Row(4, ("mel",), "CNN", Classifier(CNN), CLUSTERS, seeds=1),
    Row(4, ("attributes", "mel"), "both joined", Classifier((*DENSE, *CNN)), CLUSTERS, seeds=1),
    Row(5, (LINEAR,), "dense network", Classifier(DENSE), GENRES),
    Row(5, (COARSE,), "dense network", Classifier(DENSE), GENRES),
    Row(5, (LINEAR,), "CNN", Classifier(CNN), GENRES, seeds=1),
    Row(5, (COARSE,), "CNN", Classifier(CNN), GENRES, seeds=1),
    Row(5, (NO_SILENCES,), "CNN", Classifier(CNN), GENRES, seeds=1),
    Row(5, (FINE,), "CNN", Classifier(CNN), GENRES, seeds=1),
    Row(5, (COARSE,), "CNN, two-phase stop", Classifier(CNN, "two phases"), GENRES, seeds=1),
    Row(5, ("log-mel",), "this project's CNN, alone", Classifier(BACKBONE), GENRES, seeds=1),
    Row(5, (COARSE,), "CNN", Classifier(CNN), JAZZ),
    Row(5, (COARSE,), "CNN", Classifier(CNN), PUNK),
    Row(6, (EMBEDDING,), "logistic regression", BALANCED, GENRES, seeds=1),
    Row(6, (EMBEDDING,), "LSTM", Classifier(LSTM), GENRES),
    Row(6, (EMBEDDING,), "fully connected network", Classifier(DENSE), GENRES),
    Row(6, (EMBEDDING,), "CNN along time", Classifier(CNN_IN_TIME), GENRES),
    Row(6, (TAGS,), "logistic regression", BALANCED, GENRES, seeds=1),
    Row(6, (VIBENET,), "logistic regression", BALANCED, GENRES, seeds=1),
    Row(6, (EMBEDDING,), "ridge regression", RIDGE, EMOTIONS, seeds=1),
    Row(6, (EMBEDDING, TAGS), "ridge regression", RIDGE, EMOTIONS, seeds=1),
    Row(6, (VIBENET,), "as it is", OF_VIBENET, EMOTIONS, seeds=1),
    Row(6, (EMBEDDING,), "cubic SVM", CUBIC, FEELINGS),
    Row(6, (EMBEDDING,), "cubic SVM", CUBIC, FEELINGS_BY_SONG),
)  # fmt: skip
"""All rows but the last one, that of the shipped model, which comes from its card."""
