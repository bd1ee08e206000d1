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
def heard(store):
    """With a spectrogram of noise for each recording."""
    rng = np.random.default_rng(0)
    for place in range(len(store.clips)):
        noise = rng.uniform(-80, 0, (1, audio.N_MELS, audio.N_FRAMES))
        save(store.path(backbone.HEARS, place), noise)
    backbone.declare(store, FAST)
    return store


def test_no_trunk_hears_test(clips):
    for name in backbone.BACKBONES:
        assert {clips[place].subset for place in backbone.hears(name, clips)} == {"train", "valid"}


def test_no_voted_artist_is_heard(clips):
    voted = next(clip for clip in clips if clip.votes)
    first = backbone.hears(ALL, clips)[0]
    both = [replace(c, group=voted.group) if i == first else c for i, c in enumerate(clips)]
    assert first in backbone.hears(ALL, both)
    assert first not in backbone.hears(UNVOTED, both)


def test_a_trunk_embeds_every_piece_of_every_window(heard):
    backbone.embed(heard, {ALL: {0, 5}}, FAST, jobs=1)
    (values,), clip_of = heard.cases([ALL], range(len(heard.clips)))
    assert (len(values), values.shape[2]) == (2, backbone.N_PIECES)
    assert np.isfinite(values).all()
    assert clip_of.tolist() == [0, 5]


def test_a_piece_is_heard_by_itself(heard):
    case = backbone._trial(heard, backbone.hears(ALL, heard.clips), FAST)
    network = Classifier(("trunk",)).network(case)
    spectrogram = case.train.inputs[0][:1].astype(np.float32)
    changed = spectrogram.copy()
    changed[..., : backbone.PIECE] = -40
    before, after = (backbone.embeddings(network, each) for each in (spectrogram, changed))
    assert not np.allclose(before[..., 0], after[..., 0])
    np.testing.assert_allclose(before[..., 1:], after[..., 1:], atol=1e-5)


def test_what_has_nothing_to_learn_from_is_told(heard, tmp_path):
    clips = [replace(clip, group="one", votes={"power": 1.0}) for clip in heard.clips]
    lonely = Store(tmp_path / "features", clips)
    backbone.declare(lonely, FAST)
    backbone.embed(lonely, {UNVOTED: {0}}, FAST, jobs=1)
    with pytest.raises(TooFewError):
        lonely.cases([UNVOTED], {0})
