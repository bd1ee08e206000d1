"""The analysis of a recording that arrives equals that of the whole."""

import threading
from collections import deque
from contextlib import contextmanager

import numpy as np
import pytest

from service import audio
from service.analysis import analyze
from service.live import EVERY_SECONDS, FIRST_SECONDS, Live, wav_header
from service.messages import ROLLING_SECONDS, LivePcm
from service.model import Model
from service.taxonomy import MODELS_OWN
from tests.growing import Arriving
from tests.service import tiny
from tools import signals

RATE = 22_050
SECONDS = 19
ROLLING_WINDOWS = round(ROLLING_SECONDS / audio.WINDOW_SECONDS)
ROLLED_SECONDS = (ROLLING_WINDOWS + 4) * audio.WINDOW_SECONDS


@pytest.fixture(scope="module")
def groove():
    return signals.groove(SECONDS, RATE)


def followed(data, model, *, rolling=False, bounds=audio.UNBOUNDED, piece=4_096, **options):
    """Analyse bytes as they arrive; return the final answer and the running ones."""
    told = []
    stream = Arriving(data, piece, forgetful=rolling)
    live = Live(stream, model, bounds, MODELS_OWN, told.append)
    return (live.roll() if rolling else live.run(**options)), told


def members(analysis):
    return analysis.model_dump(exclude={"timings"})


@pytest.mark.parametrize(
    "encoding", ["wav", "flac", "mp3", "opus", "vorbis", "webm", "fragmented-mp4", "m4a", "adts"]
)
def test_the_final_answer_is_that_of_the_whole(tiny_model, groove, encoding):
    data = signals.encode(groove, RATE if encoding not in ("opus", "webm") else 48_000, encoding)
    final, _ = followed(data, tiny_model, timeline=True, embedding=True)
    assert members(final) == members(analyze(data, tiny_model, timeline=True, embedding=True))


def test_the_shipped_model_answers_the_same(model, groove):
    data = signals.encode(groove, RATE, "fragmented-mp4", 2)
    final, running = followed(data, model, timeline=True, embedding=True)
    assert members(final) == members(analyze(data, model, timeline=True, embedding=True))
    assert running


@pytest.mark.parametrize("seconds", [3, 15.5, 18, 30])
def test_any_duration(tiny_model, seconds):
    data = signals.wav(signals.groove(seconds, RATE), RATE)
    final, _ = followed(data, tiny_model, timeline=True)
    assert members(final) == members(analyze(data, tiny_model, timeline=True))


def test_a_recording_that_is_longer_than_the_limit(tiny_model, groove):
    data, bounds = signals.wav(groove, RATE), audio.Bounds(max_seconds=16)
    final, _ = followed(data, tiny_model, bounds=bounds)
    assert final.audio.truncated
    assert members(final) == members(analyze(data, tiny_model, bounds))


def test_channels_that_cancel_one_another(tiny_model, groove):
    data = signals.encode_channels(np.stack([groove, -groove]), RATE, "flac")
    final, _ = followed(data, tiny_model)
    assert final.warnings[0].type == "out_of_phase"
    assert members(final) == members(analyze(data, tiny_model))


def test_silence_between_sound_is_left_out(tiny_model, groove):
    silence = np.zeros(16 * RATE, np.float32)
    data = signals.wav(np.concatenate([silence, groove, silence]), RATE)
    final, running = followed(data, tiny_model, timeline=True)
    assert members(final) == members(analyze(data, tiny_model, timeline=True))
    assert running[0].verdict == "silence"
    assert [window.silence for answer in running for window in answer.timeline] == [
        window.silence for window in final.timeline[:3]
    ]


@pytest.mark.parametrize("data", [b"", b"not audio" * 9, signals.wav(signals.sine(1), RATE)])
def test_a_recording_that_cannot_be_analysed_has_the_same_problem(tiny_model, data):
    with pytest.raises(audio.AudioError) as whole:
        analyze(data, tiny_model)
    with pytest.raises(type(whole.value)) as live:
        followed(data, tiny_model)
    assert str(live.value) == str(whole.value)


@pytest.fixture(scope="module")
def running(tiny_models):
    """The running answers to 40 s."""
    data = signals.wav(signals.groove(40, RATE), RATE)
    return followed(data, Model(tiny_models / "tiny.onnx"))[1]


@pytest.fixture(scope="module")
def rolled(tiny_models):
    """The answers to `ROLLED_SECONDS` and five more."""
    pcm = LivePcm(encoding="s16le", sample_rate=8_000, channels=1)
    once = (signals.groove(15, 8_000) * 32_767).astype("<i2").tobytes()
    data = wav_header(pcm) + once * (ROLLED_SECONDS // 15) + once[: len(once) // 3]
    return followed(data, Model(tiny_models / "tiny.onnx"), rolling=True, piece=10_000)[1]


class TestRunning:
    def test_answers_come_at_their_times(self, running):
        due = [*FIRST_SECONDS, *np.arange(2, 6) * EVERY_SECONDS]
        piece = 2**16 / RATE  # a block, which is decoded at once
        for seconds, answer in zip(due, running, strict=False):
            assert seconds <= answer.heard_seconds < seconds + piece

    def test_each_is_the_answer_to_what_was_heard(self, tiny_model, running):
        groove = signals.groove(40, RATE)
        for answer in running:
            heard = groove[: round(answer.heard_seconds * RATE)]
            whole = analyze(signals.wav(heard, RATE), tiny_model)
            assert answer.verdict == whole.verdict
            assert answer.valence == pytest.approx(whole.valence, abs=2e-3)
            assert answer.emotion.keys() == whole.emotion.keys()
            for ours, theirs in zip(answer.genres, whole.genres, strict=True):
                assert ours.probability == pytest.approx(theirs.probability, abs=2e-3)

    def test_the_timeline_grows_window_by_window(self, running):
        spans = [
            (window.start_seconds, window.end_seconds)
            for answer in running
            for window in answer.timeline
        ]
        assert spans == [(0, 15), (15, 30)]


class Noting(Model):
    """A model that notes the number of frames of each window."""

    def __init__(self, path):
        super().__init__(path)
        self.seen = []

    def score(self, spectrograms):
        self.seen += [spectrograms.shape[-1]] * len(spectrograms)
        return super().score(spectrograms)


class TestShortWindows:
    """Before there is a whole window, a model that takes short ones scores what was heard."""

    @pytest.mark.parametrize("seconds", [3, 14, 19])
    @pytest.mark.parametrize("encoding", ["wav", "fragmented-mp4"])
    def test_the_final_answer_is_that_of_the_whole(self, open_models, groove, seconds, encoding):
        model = Model(open_models / "tiny.onnx")
        data = signals.encode(groove[: seconds * RATE], RATE, encoding)
        final, _ = followed(data, model, timeline=True, embedding=True)
        assert members(final) == members(analyze(data, model, timeline=True, embedding=True))

    def test_only_what_was_heard_is_scored(self, open_models, groove):
        model = Noting(open_models / "tiny.onnx")
        _, running = followed(signals.wav(groove, RATE), model)
        early = [answer for answer in running if answer.heard_seconds < audio.WINDOW_SECONDS]
        heard = [round(answer.heard_seconds * RATE) // audio.HOP + 1 for answer in early]
        assert len(heard) == len(FIRST_SECONDS)
        assert heard[0] < audio.N_SHORT_FRAMES < heard[1]
        assert model.seen == [audio.N_SHORT_FRAMES, *heard[1:], audio.N_FRAMES, audio.N_FRAMES]

    def test_each_is_the_answer_to_what_was_heard(self, open_models, groove):
        model = Model(open_models / "tiny.onnx")
        _, running = followed(signals.wav(groove, RATE), model)
        for answer in running[: len(FIRST_SECONDS)]:
            waveform = audio.decode(signals.wav(groove, RATE)).waveform
            heard = round(answer.heard_seconds * RATE / audio.HOP) * audio.HOP
            cut = audio.cut(waveform[:heard], audio.N_SHORT_SAMPLES)
            (genres,) = model.score(audio.log_mel(cut.windows)).genres
            found = {each.genre: each.probability for each in answer.genres}
            assert list(map(found.get, model.card.genres)) == pytest.approx(genres, abs=1e-6)

    def test_other_models_score_whole_windows(self, tiny_models, groove):
        model = Noting(tiny_models / "tiny.onnx")
        followed(signals.wav(groove, RATE), model)
        assert set(model.seen) == {audio.N_FRAMES}


def test_after_a_certain_answer_the_next_has_a_whole_window(tmp_path, tiny_model):
    none = tiny_model.card.thresholds.model_copy(update={"music": 0, "known": 0, "margin": 0})
    sure = Model(tiny.write(tmp_path, thresholds=none))
    _, running = followed(signals.wav(signals.groove(40, RATE), RATE), sure)
    assert [answer.certain for answer in running] == [False] + [True] * (len(running) - 1)
    due = [*FIRST_SECONDS[:2], *np.arange(2, 6) * EVERY_SECONDS]
    for seconds, answer in zip(due, running, strict=True):
        assert seconds <= answer.heard_seconds < seconds + 2**16 / RATE


class Patient(Arriving):
    """A file of which no more arrives than its reader's patience allows.

    Parameters
    ----------
    data : bytes
    a_second : int
        Bytes of a second of sound.
    """

    def __init__(self, data, a_second):
        super().__init__(data)
        self._a_second, self.waits = a_second, 0

    @contextmanager
    def _arrive(self):
        self._piece = round(self._a_second * max(0.25, self.patience))
        self.waits += 1
        with super()._arrive():
            yield


@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000])
@pytest.mark.parametrize("sure", [True, False])
def test_patience_delays_no_answer(tmp_path, tiny_model, rate, sure):
    thresholds = tiny_model.card.thresholds
    if sure:
        thresholds = thresholds.model_copy(update={"music": 0, "known": 0, "margin": 0})
    model = Model(tiny.write(tmp_path, thresholds=thresholds))
    data = signals.wav(signals.groove(40, rate), rate)
    _, usual = followed(data, model, piece=rate // 2)
    told, stream = [], Patient(data, 2 * rate)
    Live(stream, model, audio.UNBOUNDED, MODELS_OWN, told.append).run()
    assert [each.heard_seconds for each in told] == [each.heard_seconds for each in usual]
    if rate == 48_000:  # at lower rates, a piece is nearly as long as the time between answers
        assert stream.waits < 100  # of 160


class TestOutOfDate:
    """Answers that sound which has arrived already has passed are left out."""

    def test_of_a_whole_recording_only_whole_windows_are_told(self, tiny_model):
        data = signals.wav(signals.groove(40, RATE), RATE)
        final, told = followed(data, tiny_model, piece=len(data), timeline=True)
        assert members(final) == members(analyze(data, tiny_model, timeline=True))
        spans = [[(each.start_seconds, each.end_seconds) for each in it.timeline] for it in told]
        assert spans == [[(0, 15)], [(15, 30)]]

    def test_of_sound_that_comes_in_bursts_the_last_answer_is_told(self, tiny_model):
        data = signals.wav(signals.groove(40, RATE), RATE)
        _, told = followed(data, tiny_model, piece=12 * 2 * RATE)
        heard = [answer.heard_seconds for answer in told]
        assert 10 <= heard[0] < 12
        assert len(heard) < len(FIRST_SECONDS) + 40 / EVERY_SECONDS

    def test_a_rolling_recording_tells_of_every_window(self, tiny_model):
        data = signals.wav(signals.groove(50, 16_000), 16_000)
        _, told = followed(data, tiny_model, rolling=True, piece=len(data))
        starts = [window.start_seconds for answer in told for window in answer.timeline]
        assert starts == [0, 15, 30, 35]


def test_certain_is_twice_confident_of_the_same_genre(tiny_model):
    live = Live(audio.Growing(), tiny_model, audio.UNBOUNDED, MODELS_OWN, print)
    verdicts = [("confident", "house"), ("confident", "house"), ("mixed", "house")]
    verdicts += [("confident", "house"), ("confident", "jazz"), ("confident", "jazz")]
    found = [live._is_certain(*each) for each in verdicts]
    assert found == [False, True, False, False, False, True]


class TestRolling:
    def test_the_timeline_has_every_window_once(self, rolled):
        starts = [window.start_seconds for answer in rolled for window in answer.timeline]
        assert starts[:-1] == list(range(0, ROLLED_SECONDS, 15))
        assert starts[-1] == pytest.approx(ROLLED_SECONDS - 10, abs=0.1)  # moved back by the rest
        assert rolled[-1].heard_seconds == pytest.approx(ROLLED_SECONDS + 5, abs=0.1)

    def test_answers_about_the_last_seconds_follow_a_change(self, model):
        """Silence is the answer once the music before it was forgotten, and only then."""
        waveform = np.concatenate([signals.groove(30, RATE), 0 * signals.sine(32)])
        stream = Arriving(signals.wav(waveform, RATE), 4_096, forgetful=True)
        told = []
        Live(stream, model, audio.UNBOUNDED, MODELS_OWN, told.append).roll(15)
        silent = {answer.heard_seconds: answer.verdict == "silence" for answer in told}
        assert silent == {seconds: seconds >= 45 for seconds in silent}

    def test_too_little_sound(self, tiny_model):
        with pytest.raises(audio.ClipTooShortError):
            followed(signals.wav(signals.sine(1), RATE), tiny_model, rolling=True)

    def test_bytes_and_windows_are_forgotten(self, tiny_model):
        stream = audio.Growing(forgetful=True)
        live = Live(stream, tiny_model, audio.UNBOUNDED, MODELS_OWN, lambda _: None)
        worker = threading.Thread(target=live.roll)
        worker.start()
        pcm = LivePcm(encoding="f32le", sample_rate=8_000, channels=2)
        stream.feed(wav_header(pcm))
        piece = np.repeat(signals.groove(15, 8_000)[:, None], 2, axis=1).tobytes()
        for _ in range(ROLLING_WINDOWS + 5):
            stream.feed(piece)
        stream.end()
        worker.join()
        assert stream.size > 20 * 2**20
        assert len(stream._data) < 4 * 2**20
        assert len(live._windows) == ROLLING_WINDOWS
        assert live._spectrograms == []
        assert len(live._tail) <= 2 * audio.N_SAMPLES
        assert isinstance(live._windows, deque)


@pytest.mark.parametrize("encoding", ["s16le", "f32le"])
@pytest.mark.parametrize("channels", [1, 2])
def test_samples_without_a_container_are_those_of_a_wav(tiny_model, groove, encoding, channels):
    pcm = LivePcm(encoding=encoding, sample_rate=RATE, channels=channels)
    kind = {"s16le": "<i2", "f32le": "<f4"}[encoding]
    scale = {"s16le": 32_767, "f32le": 1}[encoding]
    samples = np.repeat((groove * scale).astype(kind)[:, None], channels, axis=1).tobytes()
    header = bytearray(wav_header(pcm))
    whole = bytes(header[:40]) + len(samples).to_bytes(4, "little") + samples
    final, running = followed(bytes(header) + samples, tiny_model, timeline=True)
    assert running
    assert members(final) == members(analyze(whole, tiny_model, timeline=True))
