import itertools
from dataclasses import replace

import numpy as np
import pytest

from service import analysis, audio
from service.analysis import ProbeError, analyze, warm_up
from service.card import Thresholds
from service.model import Model, ModelMismatchError, NoEmbeddingError, Scores
from service.settings import MODELS
from service.taxonomy import MODELS_OWN, Taxonomy
from service.verdict import reason
from tests.conftest import CLIP_RATE, CLIP_SECONDS
from tools import signals


def long_wav(seconds):
    """Return a WAV in which every 15 s sound different."""
    parts = [
        signals.groove(15, audio.SAMPLE_RATE, bpm=80 + 30 * number, seed=number)
        for number in range(int(seconds // 15) + 1)
    ]
    return signals.wav(
        np.concatenate(parts)[: round(seconds * audio.SAMPLE_RATE)], audio.SAMPLE_RATE
    )


class TestAnalyse:
    def test_genres_are_ranked_and_sum_to_one(self, clips, model):
        answer = analyze(clips["webm"], model)
        probabilities = [genre.probability for genre in answer.genres]
        assert sum(probabilities) == pytest.approx(1, abs=1e-6)
        assert probabilities == sorted(probabilities, reverse=True)
        assert sorted(genre.genre for genre in answer.genres) == sorted(model.card.genres)
        assert answer.genre == answer.genres[0].genre

    def test_the_scores_are_those_of_the_model(self, model):
        data = long_wav(15)
        answer = analyze(data, model)
        scores = model.score(audio.log_mel(audio.windows(audio.decode(data).waveform)))
        expected = dict(zip(model.card.genres, scores.genres[0].tolist(), strict=True))
        got = {genre.genre: genre.probability for genre in answer.genres}
        assert got == pytest.approx(expected, abs=1e-6)
        emotions = [getattr(answer, name) for name in model.card.emotions]
        assert emotions == pytest.approx(scores.emotion[0].tolist(), abs=1e-4)
        assert answer.music == pytest.approx(float(scores.music[0]), abs=1e-4)
        assert answer.known == pytest.approx(float(scores.known[0]), abs=1e-4)

    def test_a_long_recording_is_the_mean_over_its_windows(self, model):
        data = long_wav(50)
        answer = analyze(data, model)
        scores = model.score(audio.log_mel(audio.windows(audio.decode(data).waveform)))
        assert len(scores.genres) == 4
        expected = dict(zip(model.card.genres, scores.genres.mean(axis=0).tolist(), strict=True))
        got = {genre.genre: genre.probability for genre in answer.genres}
        assert got == pytest.approx(expected, abs=1e-6)
        assert answer.valence == pytest.approx(scores.emotion[:, 0].mean(), abs=1e-4)
        assert answer.music == pytest.approx(scores.music.mean(), abs=1e-4)
        assert answer.known == pytest.approx(scores.known.mean(), abs=1e-4)

    def test_the_gain_does_not_matter(self, model):
        answers = [
            analyze(signals.wav(gain * signals.groove(6, CLIP_RATE), CLIP_RATE), model)
            for gain in (1, 0.1)
        ]
        loud, quiet = ([genre.probability for genre in answer.genres] for answer in answers)
        assert loud == pytest.approx(quiet, abs=0.01)
        assert answers[0].audio.peak_dbfs - answers[1].audio.peak_dbfs == pytest.approx(20, abs=0.1)

    def test_the_analysis_has_the_facts_of_the_audio(self, clips, model):
        facts = analyze(clips["m4a"], model).audio
        assert (facts.container, facts.codec) == ("mp4", "aac")
        assert (facts.sample_rate, facts.channels) == (CLIP_RATE, 1)
        assert facts.duration_seconds == pytest.approx(CLIP_SECONDS, abs=0.08)
        assert facts.analysed_seconds == pytest.approx(facts.duration_seconds, abs=0.01)
        assert facts.rms_dbfs < facts.peak_dbfs == pytest.approx(-6, abs=2)
        assert not facts.truncated

    def test_a_remainder_below_three_seconds_is_not_analysed(self, model):
        facts = analyze(long_wav(17), model).audio
        assert (facts.duration_seconds, facts.analysed_seconds) == (17, 15)

    def test_digital_silence_has_an_analysis(self, model):
        answer = analyze(signals.wav(np.zeros(4 * CLIP_RATE, np.float32), CLIP_RATE), model)
        assert answer.audio.peak_dbfs == audio.SILENT_DBFS
        assert answer.verdict == "silence"
        assert sum(genre.probability for genre in answer.genres) == pytest.approx(1, abs=1e-6)

    def test_the_analysis_names_the_model(self, clips, model):
        named = analyze(clips["mp3"], model).model
        assert (named.name, named.version) == (model.card.name, model.card.version)
        assert named.digest == model.digest

    def test_stages_are_timed(self, clips, model, monkeypatch):
        clock = itertools.accumulate([0, 0.04, 0, 0.01, 0.002, 0.006])
        monkeypatch.setattr(analysis, "perf_counter", lambda: next(clock))
        timings = analyze(clips["mp3"], model).timings
        assert timings.model_dump() == {
            "queue_ms": 0,
            "decode_ms": 40,
            "music_ms": 6,
            "spectrogram_ms": 10,
            "inference_ms": 2,
        }

    @pytest.mark.parametrize(
        ("data", "error"),
        [
            (b"", audio.NotAudioError),
            (signals.wav(signals.sine(2.9), audio.SAMPLE_RATE), audio.ClipTooShortError),
            (signals.wav(signals.sine(1), 4_000), audio.UnsupportedAudioError),
        ],
    )
    def test_invalid_recordings_are_refused(self, model, data, error):
        with pytest.raises(error):
            analyze(data, model)


class TestEmotion:
    def test_the_interval_comes_from_the_card(self, clips, model):
        answer = analyze(clips["wav"], model)
        assert answer.emotion.keys() == set(model.card.emotions)
        for name, found in answer.emotion.items():
            score, half = getattr(answer, name), model.card.intervals[name]
            assert found.low == pytest.approx(max(0, score - half), abs=2e-4)
            assert found.high == pytest.approx(min(1, score + half), abs=2e-4)

    def test_the_percentile_comes_from_the_card(self, clips, model, monkeypatch):
        corpus = {"energy": [number / 200 for number in range(101)]}
        card = model.card.model_copy(update={"percentiles": corpus})
        monkeypatch.setattr(model, "card", card)
        answer = analyze(clips["wav"], model)
        expected = min(100, 200 * answer.energy)
        assert answer.emotion["energy"].percentile == pytest.approx(expected, abs=0.1)
        assert answer.emotion["valence"].percentile is None

    @pytest.mark.parametrize(
        ("score", "place"),
        [(0.0, 0), (0.2, 0), (0.25, 10), (0.3, 40), (0.65, 75.0), (0.7, 80), (0.9, 100), (1, 100)],
    )
    def test_a_score_has_one_percentile(self, score, place):
        corpus = [*np.linspace(0.2, 0.3, 21)[:-1], *[0.3] * 41, *np.linspace(0.5, 0.9, 41)[1:]]
        assert len(corpus) == 101
        assert analysis.percentile(score, corpus) == pytest.approx(place, abs=0.1)


class TestTimeline:
    def test_there_is_no_timeline_by_default(self, clips, model):
        assert analyze(clips["wav"], model).timeline is None

    def test_each_window_has_its_entry(self, model):
        answer = analyze(long_wav(35), model, timeline=True)
        spans = [(each.start_seconds, each.end_seconds) for each in answer.timeline]
        assert spans == [(0, 15), (15, 30), (20, 35)]
        energies = [each.energy for each in answer.timeline]
        assert len(set(energies)) == 3
        assert answer.energy == pytest.approx(np.mean(energies), abs=1e-4)
        for each in answer.timeline:
            assert sum(genre.probability for genre in each.genres) == pytest.approx(1, abs=1e-6)
            assert each.genre == each.genres[0].genre

    def test_the_window_of_a_short_clip_ends_with_the_clip(self, model):
        data = signals.wav(signals.groove(5, CLIP_RATE), CLIP_RATE)
        (only,) = analyze(data, model, timeline=True).timeline
        assert (only.start_seconds, only.end_seconds) == (0, 5)


def test_an_operator_may_name_and_merge_genres(clips, model):
    names = {"house": "Electronic", "dubstep": "Electronic", "rap": "Hip-hop"}
    own = {each.genre: each.probability for each in analyze(clips["wav"], model).genres}
    answer = analyze(clips["wav"], model, taxonomy=Taxonomy(names), timeline=True)
    for genres in (answer.genres, answer.timeline[0].genres):
        merged = {each.genre: each.probability for each in genres}
        assert len(merged) == 8
        assert merged["Electronic"] == pytest.approx(own["house"] + own["dubstep"], abs=1e-6)
        assert merged["Hip-hop"] == pytest.approx(own["rap"], abs=1e-6)
        assert merged["jazz"] == pytest.approx(own["jazz"], abs=1e-6)


def test_genres_too_close_to_call_are_not_mixed_under_one_name(analysis_of, model):
    names = dict.fromkeys([model.card.genres[4], model.card.genres[2]], "Either")
    assert analysis_of(first=(0.5, 0.5)).verdict == "mixed"
    answer = analysis_of(first=(0.5, 0.5), taxonomy=Taxonomy(names))
    assert (answer.verdict, answer.reason) == ("confident", "This sounds like Either.")


@pytest.fixture
def analysis_of(model, monkeypatch):
    """Return a function that analyses two windows with given scores of the model."""
    limits = {"silence_dbfs": -60, "music": 0.5, "known": 0.5, "margin": 0.2}
    card = model.card.model_copy(update={"thresholds": Thresholds(**limits)})
    monkeypatch.setattr(model, "card", card)

    def run(gain=1, first=(0.8, 0.8), music=(1, 1), known=(1, 1), taxonomy=MODELS_OWN):
        genres = np.zeros((2, len(card.genres)), np.float32)
        genres[:, 4], genres[:, 2] = first, 1 - np.array(first)
        emotion = np.zeros((2, len(card.emotions)), np.float32)
        features = np.zeros((2, len(card.features)), np.float32)
        vectors = np.ones((2, card.embedding.dimensions), np.float32)
        scores = Scores(genres, emotion, np.float32(music), np.float32(known), features, vectors)
        monkeypatch.setattr(model, "score", lambda _: scores)
        data = signals.wav(gain * signals.sine(30), audio.SAMPLE_RATE)
        return analyze(data, model, taxonomy=taxonomy)

    return run


class TestVerdict:
    @pytest.mark.parametrize(
        ("scores", "verdict"),
        [
            ({}, "confident"),
            ({"first": (0.5, 0.6)}, "mixed"),
            ({"known": (0.4, 0.5)}, "unknown_genre"),
            ({"music": (0.4, 0.5)}, "not_music"),
            ({"gain": 0.0009}, "silence"),
        ],
    )
    def test_every_verdict_has_its_reason_and_keeps_the_scores(
        self, analysis_of, model, scores, verdict
    ):
        answer = analysis_of(**scores)
        assert answer.verdict == verdict
        ranked = [genre.genre for genre in answer.genres]
        assert ranked[:2] == [model.card.genres[4], model.card.genres[2]]
        assert answer.reason == reason(verdict, ranked)
        assert sum(genre.probability for genre in answer.genres) == pytest.approx(1, abs=1e-6)

    @pytest.mark.parametrize("name", ["first", "music", "known"])
    def test_the_verdict_is_about_the_mean_over_the_windows(self, analysis_of, name):
        assert analysis_of(**{name: (0.3, 1)}).verdict == "confident"

    def test_scores_have_four_digits(self, analysis_of):
        answer = analysis_of(music=(0.87654321, 0.87654321), known=(0.6, 0.7))
        assert (answer.music, answer.known) == (0.8765, 0.65)


class TestWarmUp:
    def test_the_installation_works(self, model):
        warm_up([model])

    @pytest.mark.parametrize(
        ("name", "codec"), [("probe.webm", ("webm", "opus")), ("probe.m4a", ("mp4", "aac"))]
    )
    def test_probes_have_the_formats_of_phones(self, name, codec):
        recording = audio.decode((analysis.PROBES / name).read_bytes())
        assert (recording.container, recording.codec) == codec
        assert recording.duration_seconds == pytest.approx(3, abs=0.1)
        assert audio.levels(recording.waveform)[1] > -30

    @pytest.mark.parametrize("broken", ["probe.webm", "probe.m4a"])
    def test_a_failing_decoder_is_detected(self, model, monkeypatch, tmp_path, broken):
        for probe in analysis.PROBES.iterdir():
            content = b"?" if probe.name == broken else probe.read_bytes()
            (tmp_path / probe.name).write_bytes(content)
        monkeypatch.setattr(analysis, "PROBES", tmp_path)
        with pytest.raises(ProbeError, match=f"{broken} cannot be decoded"):
            warm_up([model])

    def test_missing_probes_are_detected(self, model, monkeypatch, tmp_path):
        monkeypatch.setattr(analysis, "PROBES", tmp_path)
        with pytest.raises(ProbeError):
            warm_up([model])

    def test_a_model_with_different_scores_is_detected(self):
        model = Model(MODELS / "fifteen.onnx")
        answer = [value + 1 for value in model.card.reference_answer]
        model.card = model.card.model_copy(update={"reference_answer": answer})
        with pytest.raises(ModelMismatchError):
            warm_up([model])


AROUND = (-15, 15, -30, 15, -15)  # seconds
RATE = 24_000  # Hz: half the time to encode


def with_silence(*parts, encoding="wav", floor=0.0):
    """Return a recording of sounding and silent parts; negative seconds are silent."""
    rng = np.random.default_rng(0)
    pieces = [
        signals.groove(each, RATE)
        if each > 0
        else floor * rng.normal(0, 1, round(-each * RATE)).astype(np.float32)
        for each in parts
    ]
    return signals.encode(np.concatenate(pieces), RATE, encoding)


class TestSilentWindows:
    @pytest.mark.parametrize(
        ("encoding", "parts"),
        [
            ("wav", (-30, 30)),
            ("wav", (30, -30)),
            ("wav", AROUND),
            ("opus", (-15, 30, -15)),
            ("mp3", (-15, 30, -15)),
        ],
    )
    def test_silent_windows_do_not_change_the_analysis(self, model, encoding, parts):
        answer = analyze(with_silence(*parts, encoding=encoding), model, timeline=True)
        assert answer.audio.analysed_seconds == pytest.approx(30, abs=0.1)
        audible = [each for each in answer.timeline if not each.silence]
        assert 2 <= len(audible) < len(answer.timeline)
        assert answer.energy == pytest.approx(np.mean([each.energy for each in audible]), abs=1e-4)
        assert answer.music == pytest.approx(np.mean([each.music for each in audible]), abs=1e-4)
        assert answer.known == pytest.approx(np.mean([each.known for each in audible]), abs=1e-4)
        mean = np.mean(
            [{g.genre: g.probability for g in each.genres}[answer.genre] for each in audible]
        )
        assert answer.genres[0].probability == pytest.approx(mean, abs=1e-5)

    def test_the_analysis_equals_that_of_the_music_alone(self, model):
        alone = analyze(with_silence(30), model)
        silent = analyze(with_silence(-45, 30, -15), model)
        assert silent.verdict == alone.verdict
        assert silent.genres == alone.genres
        assert silent.emotion == alone.emotion

    @pytest.mark.parametrize(("floor", "silence"), [(1e-4, True), (1e-2, False)])
    def test_a_floor_of_noise_is_silence_by_its_peak(self, model, floor, silence):
        answer = analyze(with_silence(15, -15, floor=floor), model, timeline=True)
        assert [each.silence for each in answer.timeline] == [False, silence]

    def test_a_recording_of_silent_windows_is_silent(self, model):
        answer = analyze(with_silence(-40), model, timeline=True)
        assert answer.verdict == "silence"
        assert answer.audio.analysed_seconds == 0
        assert all(each.silence for each in answer.timeline)
        assert answer.warnings == []

    def test_a_last_window_that_only_repeats_counts_once(self, model):
        answer = analyze(with_silence(15, -5), model, timeline=True)
        assert [each.silence for each in answer.timeline] == [False, True]
        assert answer.audio.analysed_seconds == 15

    def test_silence_is_not_a_narrow_band(self, model):
        assert analyze(with_silence(-120, 15), model).warnings == []


class TestEmbedding:
    def test_it_is_the_mean_over_the_windows_with_sound(self, tiny_model):
        """Of unit length; silence between them changes nothing."""
        answer = analyze(with_silence(15, -15, 15), tiny_model, embedding=True)
        windows = audio.cut(audio.decode(with_silence(15, 15)).waveform).windows
        mean = tiny_model.score(audio.log_mel(windows)).embedding.mean(axis=0)
        np.testing.assert_allclose(answer.embedding.values, mean / np.linalg.norm(mean), atol=1e-4)

    def test_silence_has_one(self, tiny_model):
        answer = analyze(with_silence(-20), tiny_model, embedding=True)
        assert answer.verdict == "silence"
        assert np.linalg.norm(answer.embedding.values) == pytest.approx(1, abs=1e-4)

    def test_a_vector_of_zeros_stays_one(self, tiny_model, monkeypatch):
        score = tiny_model.score
        nothing = np.zeros((1, 128), np.float32)
        monkeypatch.setattr(tiny_model, "score", lambda x: replace(score(x), embedding=nothing))
        answer = analyze(with_silence(10), tiny_model, embedding=True)
        assert answer.embedding.values == [0.0] * 128

    def test_the_operators_genres_do_not_change_it(self, tiny_model, clips):
        ours, theirs = (
            analyze(clips["wav"], tiny_model, taxonomy=taxonomy, embedding=True).embedding
            for taxonomy in (MODELS_OWN, Taxonomy({"house": "Electronic"}))
        )
        assert ours == theirs

    def test_a_model_without_one_is_an_error(self, bare_models, clips):
        with pytest.raises(NoEmbeddingError, match="has no embedding"):
            analyze(clips["wav"], Model(bare_models / "tiny.onnx"), embedding=True)
