"""Writes a model's card as a page with pictures, beside the model."""

import json
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure as Picture
from numpy.typing import NDArray
from sklearn.metrics import ConfusionMatrixDisplay

from service import audio
from service.model import Model
from training.data import splits
from training.data.dataset import Dataset
from training.evaluation.evaluate import SOURCES_FILE, trained_folds
from training.evaluation.held_out import HeldOut, held_out_predictions
from training.evaluation.metrics import RELIABILITY_BINS, clip_cases, top
from training.fit.descriptor_cache import DescriptorCache
from training.fit.run import load, run_folder
from training.models.ensemble import Ensemble
from training.release.markdown import markdown

PATCH_BANDS, PATCH_FRAMES = 8, 15
PICTURES = {
    "confusion": "Confusion, held-out recordings, one seed",
    "reliability": "Reliability, held-out recordings, one seed: how often the top genre is right, "
    "by its probability; the bars below count the recordings",
    "attention": "What the network attends to: where covering a patch takes most from the "
    "probability of the answered genre, over the first test recording of each genre",
}


def report(dataset: Dataset, runs: Path, model: Path) -> Path:
    """Write ``{name}.md`` and ``{name}-{picture}.png`` beside a model.

    Parameters
    ----------
    prepared : Prepared
    runs : Path
        Evaluated, as `training.evaluation.evaluate` leaves it.
    model : Path
        Exported from these runs.

    Returns
    -------
    path : Path
        The page.
    """
    card = Model(model).card
    fixed = splits.fixed(dataset)
    network, config, _ = load(dataset, run_folder(runs, fixed, card.network.seed))
    parts = trained_folds(dataset, runs) or [fixed]
    described = DescriptorCache(dataset, config.mlp.copies, runs)
    answers = held_out_predictions(dataset, described, runs, parts, card.network.seed)
    drawn = {
        "confusion": _confusion(dataset, answers),
        "reliability": _reliability(dataset, answers),
        "attention": _attention(dataset, network),
    }
    for name, picture in drawn.items():
        picture.savefig(model.with_name(f"{card.name}-{name}.png"), dpi=80)
    pictures = [(caption, f"{card.name}-{name}.png") for name, caption in PICTURES.items()]
    sources = json.loads((runs / SOURCES_FILE).read_text())
    page = model.with_suffix(".md")
    page.write_text(markdown(card, pictures, sources))
    return page


def _confusion(dataset: Dataset, answers: HeldOut) -> Picture:
    true, answered = clip_cases(dataset, answers, phone=False)
    picture = Picture(figsize=(7, 6), layout="constrained")
    ConfusionMatrixDisplay.from_predictions(
        true,
        answered,
        labels=list(range(len(dataset.genres))),
        display_labels=dataset.genres,
        xticks_rotation="vertical",
        cmap="Blues",
        colorbar=False,
        ax=picture.subplots(),
    )
    return picture


def _reliability(dataset: Dataset, answers: HeldOut) -> Picture:
    probability, right = top(dataset, answers)
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


def _attention(dataset: Dataset, network: Ensemble) -> Picture:
    """Draw, for the first test recording of each genre, its spectrogram and what matters in it."""
    test = splits.fixed(dataset).test
    labels = dataset.label[test]
    present = [label for label in range(len(dataset.genres)) if (labels == label).any()]
    columns = 3
    n_rows = -(-len(present) // columns)
    picture = Picture(figsize=(4 * columns, 2.6 * n_rows), layout="constrained")
    grid = picture.subplots(n_rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, label in zip(grid, present, strict=False):
        row = dataset.rows("heard", test[labels == label][:1])[:1]
        window = dataset.spectrograms(row)
        matters, answered, probability = attention(network, window)
        extent = (0, audio.WINDOW_SECONDS, 0, audio.N_MELS)
        axes.imshow(window[0], origin="lower", aspect="auto", cmap="Greys", extent=extent)
        axes.imshow(
            matters, origin="lower", aspect="auto", cmap="Reds", extent=extent, alpha=0.5, vmin=0
        )
        said = f"{dataset.genres[answered]} {probability:.2f}"
        axes.set_title(f"{dataset.genres[label]}: answered {said}", fontsize=9)
        axes.set_axis_on()
        axes.set(yticks=[], xticks=[0, 5, 10, 15])
    return picture


@torch.no_grad()
def attention(
    network: Ensemble, window: audio.Spectrograms
) -> tuple[NDArray[np.float32], int, float]:
    """Measure how much each patch of a window matters to its answer.

    Each patch in turn is covered with the mean levels of its bands; what is returned is the loss
    of log-probability: occlusion after Zeiler and Fergus, "Visualizing and understanding
    convolutional networks", 2014.

    Parameters
    ----------
    network : FifteenNetwork
    window : float32 [shape=(1, audio.N_MELS, audio.N_FRAMES)], dB

    Returns
    -------
    matters : float32 [shape=(N_MELS / PATCH_BANDS, N_FRAMES / PATCH_FRAMES)]
    genre : int
        The answered one.
    probability : float
    """
    whole = torch.from_numpy(window)
    probabilities = network(whole)[0][0]
    genre = int(probabilities.argmax())
    bands = range(0, audio.N_MELS, PATCH_BANDS)
    frames = range(0, audio.N_FRAMES - PATCH_FRAMES + 1, PATCH_FRAMES)
    matters = np.zeros((len(bands), len(frames)), np.float32)
    for i, band in enumerate(bands):
        covered = whole.repeat(len(frames), 1, 1)
        mean = whole[0, band : band + PATCH_BANDS].mean(1, keepdim=True)
        for j, frame in enumerate(frames):
            covered[j, band : band + PATCH_BANDS, frame : frame + PATCH_FRAMES] = mean
        left = network(covered)[0][:, genre]
        matters[i] = (probabilities[genre].log() - left.log()).numpy()
    return matters, genre, float(probabilities[genre])
