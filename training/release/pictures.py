"""Draws the pictures of a model's page."""

import numpy as np
import torch
from matplotlib.figure import Figure as Picture
from numpy.typing import NDArray
from sklearn.metrics import ConfusionMatrixDisplay

from service import audio
from training.data.dataset import Dataset
from training.evaluation.metrics import RELIABILITY_BINS, cases, top_genre
from training.fit.predict import Predictions
from training.models.ensemble import Ensemble
from training.types import Indices

PATCH_BANDS, PATCH_FRAMES = 8, 15


def confusion(dataset: Dataset, clips: Predictions) -> Picture:
    """Draw the confusion matrix of the take ``raw``."""
    true, predicted = cases(dataset, clips, phone=False)
    picture = Picture(figsize=(7, 6), layout="constrained")
    ConfusionMatrixDisplay.from_predictions(
        true,
        predicted,
        labels=list(range(len(dataset.genres))),
        display_labels=dataset.genres,
        xticks_rotation="vertical",
        cmap="Blues",
        colorbar=False,
        ax=picture.subplots(),
    )
    return picture


def reliability(dataset: Dataset, clips: Predictions) -> Picture:
    """Draw the share of right predictions by the probability of the top genre."""
    probability, right = top_genre(dataset, clips)
    edges = np.linspace(0, 1, RELIABILITY_BINS + 1)
    counts = np.histogram(probability, edges)[0]
    filled = counts > 0
    shares = np.histogram(probability, edges, weights=right.astype(float))[0][filled]
    means = np.histogram(probability, edges, weights=probability)[0][filled]
    picture = Picture(figsize=(5, 6), layout="constrained")
    curve, bars = picture.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    curve.plot([0, 1], [0, 1], ":", color="grey")
    curve.plot(means / counts[filled], shares / counts[filled], "o-")
    curve.set(ylabel="share that is right", ylim=(0, 1), xlim=(0, 1))
    bars.bar(edges[:-1], counts, np.diff(edges), align="edge")
    bars.set(xlabel="probability of the top genre", ylabel="recordings")
    return picture


def attention(dataset: Dataset, network: Ensemble, test: Indices) -> Picture:
    """Draw the first test recording of each genre, and its occlusion map."""
    labels = dataset.label[test]
    present = [label for label in range(len(dataset.genres)) if (labels == label).any()]
    columns = 3
    n_rows = -(-len(present) // columns)
    picture = Picture(figsize=(4 * columns, 2.6 * n_rows), layout="constrained")
    grid = picture.subplots(n_rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, label in zip(grid, present, strict=False):
        row = dataset.rows("raw", test[labels == label][:1])[:1]
        window = dataset.spectrograms(row)
        loss, predicted, probability = occlusion_map(network, window)
        extent = (0, audio.WINDOW_SECONDS, 0, audio.N_MELS)
        shared = {"origin": "lower", "aspect": "auto", "extent": extent}
        axes.imshow(window[0], cmap="Greys", **shared)
        axes.imshow(loss, cmap="Reds", alpha=0.5, vmin=0, **shared)
        title = f"{dataset.genres[label]}: predicted {dataset.genres[predicted]} {probability:.2f}"
        axes.set_title(title, fontsize=9)
        axes.set_axis_on()
        axes.set(yticks=[], xticks=[0, 5, 10, 15])
    return picture


@torch.no_grad()
def occlusion_map(
    network: Ensemble, window: audio.Spectrograms
) -> tuple[NDArray[np.float32], int, float]:
    """Measure how much the prediction for a window depends on each patch of it.

    Each patch in turn is replaced with the mean levels of its bands: occlusion after Zeiler and
    Fergus, "Visualizing and understanding convolutional networks", 2014.

    Parameters
    ----------
    network : Ensemble
    window : float32 [shape=(1, audio.N_MELS, audio.N_FRAMES)], dB

    Returns
    -------
    loss : float32 [shape=(N_MELS / PATCH_BANDS, N_FRAMES / PATCH_FRAMES)]
        Loss of log-probability of the predicted genre.
    genre : int
        The predicted genre.
    probability : float
    """
    whole = torch.from_numpy(window)
    probabilities = network(whole)[0][0]
    genre = int(probabilities.argmax())
    bands = range(0, audio.N_MELS, PATCH_BANDS)
    frames = range(0, audio.N_FRAMES - PATCH_FRAMES + 1, PATCH_FRAMES)
    loss = np.zeros((len(bands), len(frames)), np.float32)
    for i, band in enumerate(bands):
        covered = whole.repeat(len(frames), 1, 1)
        mean = whole[0, band : band + PATCH_BANDS].mean(1, keepdim=True)
        for j, frame in enumerate(frames):
            covered[j, band : band + PATCH_BANDS, frame : frame + PATCH_FRAMES] = mean
        remaining = network(covered)[0][:, genre]
        loss[i] = (probabilities[genre].log() - remaining.log()).numpy()
    return loss, genre, float(probabilities[genre])
