"""Models of scikit-learn and CatBoost, over standardised features."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_mutual_info_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from training.studies.compare.labels import N_CLUSTERS
from training.studies.compare.sample import Prediction, Sample, Trial
from training.types import AnyFloats

MAX_CLUSTERS = 10  # in the elbow plot


def table(inputs: tuple[AnyFloats, ...]) -> AnyFloats:
    """Join the features of each case to one row; pictures are averaged over time.

    Parameters
    ----------
    inputs : tuple of float [shape=(n, ...)]

    Returns
    -------
    table : float64 [shape=(n, n_numbers)]
    """
    flat = [each.mean(axis=-1, dtype=float) if each.ndim > 2 else each for each in inputs]
    return np.concatenate(flat, axis=1, dtype=float)


@dataclass(frozen=True, repr=False)
class Classical:
    """A classifier with scikit-learn's interface."""

    estimator: Any

    def __call__(self, trial: Trial) -> Prediction:
        """Train, and predict the test cases."""
        estimator = clone(self.estimator)
        if "random_state" in estimator.get_params():
            estimator.set_params(random_state=trial.seed)
        pipeline = make_pipeline(StandardScaler(), estimator)
        pipeline.fit(table(trial.train.inputs), trial.train.label)
        return Prediction(label=np.ravel(pipeline.predict(table(trial.test.inputs))))

    def __repr__(self) -> str:
        settings = self.estimator.get_params()
        return f"{type(self.estimator).__name__}({sorted(settings.items(), key=lambda p: p[0])})"


@dataclass(frozen=True, repr=False)
class Regression(Classical):
    """A regression of all scales at once."""

    def __call__(self, trial: Trial) -> Prediction:
        """Train on the cases that have every score, and predict the test cases."""
        has_all = np.asarray(~np.isnan(trial.train.scores).any(axis=1))
        train = trial.train.at(has_all)
        pipeline = make_pipeline(StandardScaler(), clone(self.estimator))
        pipeline.fit(table(train.inputs), train.scores)
        return Prediction(scores=pipeline.predict(table(trial.test.inputs)))


@dataclass(frozen=True)
class AsTheyAre:
    """Columns of the first feature, which are scores already."""

    columns: tuple[int, ...]

    def __call__(self, trial: Trial) -> Prediction:
        """Return the columns of the test cases."""
        return Prediction(scores=trial.test.inputs[0][:, self.columns])


@dataclass(frozen=True)
class KMeansClusters:
    """k-means: the sum of squared distances by number of clusters, and the genres of three."""

    def __call__(self, trial: Trial) -> Prediction:
        """Fit to train; compare the clusters with the genres of test."""
        train, test = trial.train, trial.test
        scaler = StandardScaler().fit(table(train.inputs))
        points = scaler.transform(table(train.inputs))
        most = min(MAX_CLUSTERS, len(points))
        found = [
            KMeans(k, n_init=10, random_state=trial.seed).fit(points) for k in range(1, most + 1)
        ]
        three = found[N_CLUSTERS - 1]
        predicted = three.predict(scaler.transform(table(test.inputs)))
        agreement = adjusted_mutual_info_score(test.label, predicted)
        clusters = "; ".join(_described(train, three.labels_ == kind) for kind in range(N_CLUSTERS))
        return Prediction(
            elbow=tuple(float(each.inertia_) for each in found),
            note=f"{clusters}; adjusted mutual information with the genres {agreement:.2f}",
        )


def _described(train: Sample, chosen: AnyFloats) -> str:
    """Return the size of a cluster and its most frequent genres."""
    names = Counter(train.classes[label] for label in train.label[chosen])
    first = ", ".join(f"{name} {count / chosen.sum():.0%}" for name, count in names.most_common(3))
    return f"{chosen.mean():.0%} of the windows ({first})"
