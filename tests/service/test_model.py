import shutil
from dataclasses import fields
from types import SimpleNamespace

import numpy as np
import pytest

from service import audio
from service.audio import decoding, spec
from service.model import (
    Model,
    ModelMismatchError,
    Models,
    Scores,
    UnknownModelError,
    UnreadableModelError,
    load_models,
    write_digest,
)
from service.settings import MODELS
from tests.service import tiny
from tools import signals

SHIPPED = MODELS / "fifteen.onnx"
VERSION = int(Model(SHIPPED).card.version)
VERSIONS = [f'"version":"{version}"'.encode() for version in (VERSION, VERSION + 1)]


@pytest.fixture
def changed(tmp_path):
    """A function that copies the shipped model and replaces bytes of it."""

    def change(old: bytes, new: bytes):
        content = SHIPPED.read_bytes()
        assert len(old) == len(new)  # so that lengths inside the file stay valid
        assert old in content
        path = tmp_path / "changed.onnx"
        path.write_bytes(content.replace(old, new))
        return path

    return change


@pytest.fixture(scope="module")
def spectrograms():
    seeds = range(5)
    return audio.log_mel(
        np.stack([signals.groove(15, audio.SAMPLE_RATE, 90 + 20 * seed, seed) for seed in seeds])
    )


@pytest.mark.parametrize(
    ("n_frames", "shortest"),
    [(audio.N_FRAMES, audio.N_SAMPLES), ("frames", audio.N_SHORT_SAMPLES)],
)
def test_the_input_of_a_file_tells_whether_the_model_takes_short_windows(
    tmp_path, n_frames, shortest
):
    model = Model(tiny.write(tmp_path, n_frames=n_frames))
    model.verify()
    assert model.shortest == shortest
    sound = signals.groove(3, audio.SAMPLE_RATE)
    scores = model.score(audio.log_mel(audio.cut(sound, shortest).windows))
    assert scores.genres.shape == (1, len(model.card.genres))


class TestScore:
    def test_scores_are_between_0_and_1(self, model, spectrograms):
        scores = model.score(spectrograms)
        assert scores.genres.shape == (5, len(model.card.genres))
        assert np.allclose(scores.genres.sum(axis=1), 1, atol=1e-5)
        assert scores.emotion.shape == (5, len(model.card.emotions))
        assert scores.music.shape == scores.known.shape == (5,)
        for name, values in vars(scores).items():
            assert values.dtype == np.float32
            assert name == "embedding" or ((values >= 0) & (values <= 1)).all()

    def test_the_scores_of_a_window_do_not_depend_on_its_batch(self, model, spectrograms):
        together = vars(model.score(spectrograms))
        alone = [vars(model.score(spectrogram[None])) for spectrogram in spectrograms]
        for name, values in together.items():
            assert np.allclose(values, [one[name][0] for one in alone], atol=1e-5), name

    def test_silence_has_scores(self, model):
        scores = model.score(audio.log_mel(np.zeros((1, audio.N_SAMPLES), np.float32)))
        assert all(np.isfinite(values).all() for values in vars(scores).values())


class TestVerify:
    def test_the_shipped_model_repeats_its_reference_answer(self, model):
        model.verify()

    def test_the_reference_answer_is_complete(self, model):
        card = model.card
        music_and_known = 2
        dimensions = card.embedding.dimensions if card.embedding else 0
        widths = [len(card.genres), len(card.emotions), music_and_known, len(card.features)]
        assert len(card.reference_answer) == sum(widths) + dimensions

    @pytest.mark.parametrize("part", [field.name for field in fields(Scores)])
    @pytest.mark.parametrize("value", [2, float("nan")])
    def test_a_model_with_another_answer_is_refused(self, tiny_model, value, part):
        scores = tiny_model.score(audio.log_mel(audio.reference_windows()))
        vars(scores)[part].flat[0] = value
        answer = scores.flat().tolist()
        tiny_model.card = tiny_model.card.model_copy(update={"reference_answer": answer})
        with pytest.raises(ModelMismatchError, match="output of tiny differs"):
            tiny_model.verify()

    def test_a_reference_answer_of_another_length_is_a_mismatch(self, tiny_model):
        answer = tiny_model.card.reference_answer[:-1]
        tiny_model.card = tiny_model.card.model_copy(update={"reference_answer": answer})
        with pytest.raises(ModelMismatchError, match="differs by inf"):
            tiny_model.verify()


class TestFeaturesAndEmbedding:
    """Of the model in `tests.service.tiny`; a model may have neither."""

    def test_scores_have_them(self, tiny_model, spectrograms):
        scores = tiny_model.score(spectrograms)
        assert scores.features.shape == (5, len(tiny_model.card.features))
        assert ((scores.features >= 0) & (scores.features <= 1)).all()
        assert scores.embedding.shape == (5, tiny_model.card.embedding.dimensions)
        assert np.ptp(scores.embedding, axis=0).all()
        for values in vars(scores).values():
            assert values.dtype == np.float32

    def test_they_follow_their_windows(self, tiny_model, spectrograms):
        """Also over several runs of the network."""
        scores = tiny_model.score(spectrograms)
        mask = np.array([False, True, False, False, True])
        for chosen, some in (
            (scores.windows(3, 5), spectrograms[3:]),
            (scores.chosen(mask), spectrograms[mask]),
        ):
            alone = tiny_model.score(some)
            for name, values in vars(chosen).items():
                np.testing.assert_allclose(values, vars(alone)[name], atol=1e-5, err_msg=name)

    @pytest.mark.parametrize(
        ("without", "widths"),
        [
            ({"features": []}, (0, 128)),
            ({"embedding": None}, (4, 0)),
            ({"features": [], "embedding": None}, (0, 0)),
        ],
    )
    def test_a_model_without_one_has_no_columns_for_it(
        self, tmp_path, spectrograms, without, widths
    ):
        scores = Model(tiny.write(tmp_path, **without)).score(spectrograms)
        assert (scores.features.shape, scores.embedding.shape) == tuple((5, n) for n in widths)

    @pytest.mark.parametrize(
        "change",
        [
            {"features": []},
            {"features": ["acousticness"]},
            {"embedding": None},
            {"embedding": {"space": "tiny-5", "dimensions": 64}},
        ],
    )
    def test_a_card_that_does_not_fit_them_is_refused(self, tmp_path, change):
        path = tiny.write(tmp_path, card_only=change)
        with pytest.raises(UnreadableModelError, match="do not match its card"):
            Model(path)


class TestLoading:
    def test_a_missing_file_is_refused(self, tmp_path):
        with pytest.raises(UnreadableModelError, match=r"missing\.onnx"):
            Model(tmp_path / "missing.onnx")

    @pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
    def test_a_truncated_file_is_refused(self, tmp_path, share):
        content = SHIPPED.read_bytes()
        (tmp_path / "short.onnx").write_bytes(content[: int(share * len(content))])
        with pytest.raises(UnreadableModelError, match=r"short.onnx is not a model"):
            Model(tmp_path / "short.onnx")

    @pytest.mark.parametrize("content", [b"\0", b"not a model", b"\x08\x0a" * 50])
    def test_a_file_that_is_not_onnx_is_refused(self, tmp_path, content):
        (tmp_path / "other.onnx").write_bytes(content)
        with pytest.raises(UnreadableModelError):
            Model(tmp_path / "other.onnx")

    def test_a_model_without_card_is_refused(self, changed):
        with pytest.raises(UnreadableModelError, match="KeyError"):
            Model(changed(b"\x0a\x04card", b"\x0a\x04cord"))

    def test_an_invalid_card_is_refused(self, changed):
        with pytest.raises(UnreadableModelError, match="ValidationError"):
            Model(changed(b'"licence":', b'"license":'))

    def test_a_card_that_does_not_fit_its_file_is_refused(self, changed):
        two = b'"emotions":["valence","energy"]'
        three = b'"emotions":["valence","energy","danceability"]'
        with pytest.raises(UnreadableModelError, match="do not match its card"):
            Model(changed(three, two.ljust(len(three))))

    @pytest.mark.parametrize("name", [b"music", b"known"])
    def test_a_model_that_lacks_an_output_is_refused(self, changed, name):
        with pytest.raises(UnreadableModelError, match="'other': "):
            Model(changed(b"\x05" + name, b"\x05other"))

    def test_other_front_end_numbers_are_refused(self, changed):
        with pytest.raises(ModelMismatchError, match="another front-end"):
            Model(changed(b'"span_db":80', b'"span_db":81'))

    @pytest.mark.parametrize(
        ("name", "value"), [("SPAN_DB", 79.9), ("HOP", 1_200), ("F_MIN", 25.0), ("N_MELS", 127)]
    )
    def test_another_front_end_is_refused(self, monkeypatch, name, value):
        monkeypatch.setattr(spec, name, value)
        with pytest.raises(ModelMismatchError, match="dB away"):
            Model(SHIPPED)

    def test_a_changed_transform_is_refused_by_its_signature(self, monkeypatch):
        mono = decoding.mono
        monkeypatch.setattr(decoding, "mono", lambda *block: np.abs(mono(*block)) ** 0.9)
        with pytest.raises(ModelMismatchError, match="dB away"):
            Model(SHIPPED)

    def test_a_signature_of_nan_is_refused(self, monkeypatch):
        monkeypatch.setattr(audio, "skew", lambda _: float("nan"))
        with pytest.raises(ModelMismatchError):
            Model(SHIPPED)

    def test_a_file_with_another_digest_is_refused(self, changed):
        path = changed(*VERSIONS)
        write_digest(path)
        assert Model(path).card.version == str(VERSION + 1)
        path.write_bytes(SHIPPED.read_bytes())
        with pytest.raises(UnreadableModelError, match=r"changed or damaged.*\.onnx\.sha256"):
            Model(path)

    @pytest.mark.parametrize("digest", ["", "\n", "0" * 64, "é"])
    def test_an_invalid_digest_is_refused(self, tmp_path, digest):
        shutil.copy(SHIPPED, tmp_path)
        (tmp_path / "fifteen.onnx.sha256").write_text(digest)
        with pytest.raises(UnreadableModelError, match="changed or damaged"):
            Model(tmp_path / "fifteen.onnx")

    def test_the_shipped_model_has_the_digest_beside_it(self):
        (line,) = (MODELS / "fifteen.onnx.sha256").read_text().splitlines()
        assert line == f"{Model(SHIPPED).digest.removeprefix('sha256:')}  fifteen.onnx"

    def test_the_digest_depends_on_the_file(self, model, changed):
        other = Model(changed(*VERSIONS))
        assert model.digest.startswith("sha256:")
        assert len(model.digest) == len("sha256:") + 64
        assert other.digest != model.digest


def named(name, version):
    """A stand-in for a model of which only the name matters."""
    return SimpleNamespace(card=SimpleNamespace(name=name, version=version))


class TestFolder:
    def test_models_are_selected_by_name_and_version(self):
        models = Models([named("b", "9"), named("b", "10"), named("a", "1"), named("b", "9.2")])
        order = [(each.card.name, each.card.version) for each in models]
        assert order == [("a", "1"), ("b", "9"), ("b", "9.2"), ("b", "10")]
        assert models["b"].card.version == "10"
        assert models["b:9"].card.version == "9"
        assert models["a"].card.name == "a"

    @pytest.mark.parametrize("reference", ["c", "b:1", "b:9:2", "", ":9", "B"])
    def test_an_unknown_model_is_refused(self, reference):
        with pytest.raises(UnknownModelError, match=f"no model {reference}; "):
            Models([named("b", "9")])[reference]

    def test_two_versions_may_be_installed(self, changed, tmp_path):
        changed(*VERSIONS)
        shutil.copy(SHIPPED, tmp_path)
        models = load_models(tmp_path)
        assert len({model.card.version for model in models}) == 2

    def test_an_empty_folder_is_refused(self, tmp_path):
        with pytest.raises(UnreadableModelError, match="no model"):
            load_models(tmp_path)

    def test_two_models_with_the_same_name_and_version_are_refused(self, tmp_path):
        for name in ("a.onnx", "b.onnx"):
            shutil.copy(SHIPPED, tmp_path / name)
        with pytest.raises(UnreadableModelError, match=r"Two files in .* are fifteen:"):
            load_models(tmp_path)

    def test_a_folder_with_a_bad_model_is_refused(self, tmp_path):
        shutil.copy(SHIPPED, tmp_path)
        (tmp_path / "bad.onnx").write_bytes(b"bad")
        with pytest.raises(UnreadableModelError, match=r"bad\.onnx"):
            load_models(tmp_path)
