from dataclasses import replace

import numpy as np
import pytest

from service import audio
from training.studies.compare import backbone
from training.studies.compare.neural import Classifier
from training.studies.compare.sample import FAST, TooFewError
from training.studies.compare.store import Store, save

ALL, UNVOTED = backbone.BACKBONES


@pytest.fixture
def spectrograms(store):
    """A store with a spectrogram of noise for each recording."""
    rng = np.random.default_rng(0)
    for place in range(len(store.clips)):
        noise = rng.uniform(-80, 0, (1, audio.N_MELS, audio.N_FRAMES))
        save(store.path(backbone.INPUT, place), noise)
    backbone.declare(store, FAST)
    return store


def test_no_backbone_is_trained_on_test(clips):
    for name in backbone.BACKBONES:
        assert {clips[place].subset for place in backbone.training_places(name, clips)} == {
            "train",
            "valid",
        }


def test_one_backbone_is_trained_without_voted_artists(clips):
    voted = next(clip for clip in clips if clip.votes)
    first = backbone.training_places(ALL, clips)[0]
    both = [replace(c, group=voted.group) if i == first else c for i, c in enumerate(clips)]
    assert first in backbone.training_places(ALL, both)
    assert first not in backbone.training_places(UNVOTED, both)


def test_every_piece_of_every_window_has_an_embedding(spectrograms):
    backbone.embed(spectrograms, {ALL: {0, 5}}, FAST, jobs=1)
    (values,), clip_of = spectrograms.cases([ALL], range(len(spectrograms.clips)))
    assert (len(values), values.shape[2]) == (2, backbone.N_PIECES)
    assert np.isfinite(values).all()
    assert clip_of.tolist() == [0, 5]


def test_the_embedding_of_a_piece_depends_on_no_other_piece(spectrograms):
    case = backbone.training_trial(
        spectrograms, backbone.training_places(ALL, spectrograms.clips), FAST
    )
    network = Classifier(("backbone",)).network(case)
    spectrogram = case.train.inputs[0][:1].astype(np.float32)
    changed = spectrogram.copy()
    changed[..., : backbone.PIECE] = -40
    before, after = (backbone.embeddings(network, each) for each in (spectrogram, changed))
    assert not np.allclose(before[..., 0], after[..., 0])
    np.testing.assert_allclose(before[..., 1:], after[..., 1:], atol=1e-5)


def test_a_backbone_without_training_clips_has_no_embeddings(spectrograms, tmp_path):
    clips = [replace(clip, group="one", votes={"power": 1.0}) for clip in spectrograms.clips]
    lonely = Store(tmp_path / "features", clips)
    backbone.declare(lonely, FAST)
    backbone.embed(lonely, {UNVOTED: {0}}, FAST, jobs=1)
    with pytest.raises(TooFewError):
        lonely.cases([UNVOTED], {0})
