import numpy as np
import pytest

from service import audio, music
from service.analysis import analyze
from service.card import EMOTIONS, TAUGHT
from service.features import describe, key_of, tempo_of
from service.model import Model
from service.verdict import MUSIC, VERDICTS
from tests.service import tiny
from tests.service.music.sounds import RATE, cadence, noise
from tools import signals


def tempo(bpms, probabilities, none=0.1):
    return music.Tempo(np.array(bpms), np.array(probabilities), none)


@pytest.fixture(scope="module")
def deciding(tiny_models):
    """Return a function: a model to which every sound is music, or none is."""

    def always(*, is_music):
        model = Model(tiny_models / "tiny.onnx")
        certain = {"music": 0.0 if is_music else 1.01}
        thresholds = model.card.thresholds.model_copy(update=certain)
        model.card = model.card.model_copy(update={"thresholds": thresholds})
        return model

    return always


def described(sound, rate=RATE):
    return describe(audio.decode(signals.wav(sound, rate)), "confident")


def test_an_answer_has_tempo_key_loudness_and_features(deciding, clips):
    answer = analyze(clips["webm"], deciding(is_music=True)).model_dump()
    assert answer["tempo"]["bpm"] == answer["tempo"]["candidates"][0]["bpm"]
    assert answer["tempo"]["bpm"] == pytest.approx(124, rel=0.01)
    assert answer["key"]["tonic"] == answer["key"]["candidates"][0]["tonic"]
    measured = {
        "tempo": answer["tempo"]["bpm"],
        "key": music.pitch_class(answer["key"]["tonic"]),
        "mode": int(answer["key"]["mode"] == "major"),
        "loudness": answer["loudness"]["integrated_lufs"],
        "duration_ms": round(1_000 * answer["audio"]["duration_seconds"]),
    }
    assert answer["features"].items() >= measured.items()
    assert answer["timings"]["music_ms"] > 0


@pytest.mark.parametrize(("tonic", "mode", "name"), [(10, "major", "Bb"), (6, "minor", "F#")])
def test_the_key_of_a_recording(tonic, mode, name):
    found = described(cadence(tonic, mode))
    assert (found["key"].tonic, found["key"].mode) == (name, mode)
    assert (found["features"].key, found["features"].mode) == (tonic, int(mode == "major"))


def test_what_is_not_music_has_neither_tempo_nor_key(deciding, clips):
    music_, other = (
        analyze(clips["wav"], deciding(is_music=is_music)) for is_music in (True, False)
    )
    assert other.verdict == "not_music"
    assert (other.tempo, other.key) == (None, None)
    assert (other.features.tempo, other.features.key, other.features.mode) == (0, -1, 1)
    assert None not in (music_.tempo, music_.key)
    assert other.loudness == music_.loudness


@pytest.mark.parametrize("verdict", VERDICTS)
def test_every_verdict_on_music_has_tempo_and_key(clips, verdict):
    found = describe(audio.decode(clips["wav"]), verdict)
    assert (found["tempo"] is not None) == (found["key"] is not None) == (verdict in MUSIC)


def impulse(seconds, rate):
    sound = np.zeros(round(seconds * rate), np.float32)
    sound[len(sound) // 2] = 1
    return sound


@pytest.mark.parametrize(
    ("sound", "rate"),
    [
        (np.zeros(4 * RATE, np.float32), RATE),
        (np.full(4 * RATE, 0.5, np.float32), RATE),
        (np.clip(50 * signals.groove(4, RATE), -1, 1), RATE),
        (signals.groove(4, 8_000), 8_000),
        (signals.groove(audio.MIN_SECONDS, RATE), RATE),
        (impulse(4, RATE), RATE),
        (noise(4), RATE),
        (1e-4 * noise(4), RATE),
    ],
    ids=["silence", "direct current", "clipped", "8 kHz", "shortest", "impulse", "noise", "faint"],
)
def test_any_sound_has_finite_members(tiny_client, sound, rate):
    files = {"file": signals.wav(sound, rate)}
    response = tiny_client.post("/v1/analyze?embedding=true", files=files)
    answer = response.raise_for_status().json()  # JSON has no NaN
    for part, top in (("tempo", "confidence"), ("key", "probability")):
        found = answer[part]
        if found is not None:
            probabilities = [each["probability"] for each in found["candidates"]]
            assert max(probabilities) == probabilities[0] == found[top]
            assert sum(probabilities) <= 1.001
    assert None not in answer["features"].values()
    assert np.linalg.norm(answer["embedding"]["values"]) == pytest.approx(1, abs=1e-4)


def test_a_second_is_refused(client):
    response = client.post("/v1/analyze", files={"file": signals.wav(noise(1), RATE)})
    assert (response.status_code, response.json()["type"][-14:]) == (422, "clip-too-short")


@pytest.mark.parametrize("seed", range(2))
def test_no_tempo_without_a_beat(seed):
    found = described(noise(seed=seed))
    assert (found["tempo"], found["features"].tempo) == (None, 0)


def test_gain_moves_loudness_and_leaves_tempo_and_key(deciding):
    sound = signals.groove(15, RATE, 124) * np.float32(0.5)
    model = deciding(is_music=True)
    plain, softer = (analyze(signals.wav(gain * sound, RATE), model) for gain in (1, 0.25))
    fall = 20 * np.log10(4)
    assert plain.loudness.integrated_lufs - softer.loudness.integrated_lufs == pytest.approx(
        fall, abs=0.02
    )
    assert softer.tempo.bpm == pytest.approx(plain.tempo.bpm, rel=1e-3)
    assert (softer.key.tonic, softer.key.mode) == (plain.key.tonic, plain.key.mode)


def test_silence_has_neither_tempo_nor_key_nor_loudness(model):
    answer = analyze(signals.wav(np.zeros(4 * RATE, np.float32), RATE), model)
    assert (answer.tempo, answer.key, answer.loudness.integrated_lufs) == (None, None, None)
    assert answer.loudness.true_peak_dbtp == audio.SILENT_DBFS
    assert answer.features.model_dump().items() >= {
        "tempo": 0, "key": -1, "mode": 1, "loudness": -60, "duration_ms": 4_000,
    }.items()  # fmt: skip


SPOTIFYS = {
    "acousticness", "danceability", "duration_ms", "energy", "instrumentalness", "key", "liveness",
    "loudness", "mode", "speechiness", "tempo", "valence",
}  # fmt: skip


def test_features_have_what_the_model_learned(tiny_client, tiny_model, clips):
    answer = tiny_client.post("/v1/analyze", files={"file": clips["webm"]}).json()
    features = answer["features"]
    assert features.keys() == SPOTIFYS
    for emotion in EMOTIONS:
        assert features[emotion] == answer[emotion]
    recording = audio.decode(clips["webm"])
    scores = tiny_model.score(audio.log_mel(audio.windows(recording.waveform)))
    for name, value in zip(TAUGHT, scores.features[0], strict=True):
        assert features[name] == pytest.approx(value, abs=1e-4)


def test_features_are_means_over_the_windows_with_sound(tiny_model):
    groove, silence = signals.groove(15, RATE), np.zeros(15 * RATE, np.float32)
    alone = analyze(signals.wav(groove, RATE), tiny_model).features
    padded = analyze(signals.wav(np.concatenate([groove, silence]), RATE), tiny_model).features
    for name in (*EMOTIONS, *TAUGHT):
        assert getattr(padded, name) == pytest.approx(getattr(alone, name), abs=1e-3)


@pytest.mark.parametrize(
    "without", [{"features": []}, {"features": ["liveness"]}, {"emotions": ["energy"]}]
)
def test_a_feature_that_the_model_does_not_predict_is_null(tmp_path, clips, without):
    model = Model(tiny.write(tmp_path, **without))
    features = analyze(clips["wav"], model).features.model_dump()
    predicted = {*model.card.emotions, *model.card.features}
    assert {name for name, value in features.items() if value is None} == {
        *EMOTIONS, *TAUGHT,
    } - predicted  # fmt: skip


def test_loudness_is_of_the_channels_as_they_are_encoded(model):
    left = signals.groove(4, RATE)
    planes = np.stack([left, np.zeros_like(left)])
    one = analyze(signals.wav(left, RATE), model).loudness
    two = analyze(signals.encode_channels(planes, RATE, "flac"), model).loudness
    assert two.integrated_lufs == pytest.approx(one.integrated_lufs, abs=0.01)
    assert two.true_peak_dbtp == pytest.approx(one.true_peak_dbtp, abs=0.01)


def test_every_candidate_is_listed():
    answer = tempo_of(tempo([120, 60, 240.504], [0.9, 0.00004, 0]))
    assert [each.model_dump() for each in answer.candidates] == [
        {"bpm": 120, "probability": 0.9},
        {"bpm": 60, "probability": 0},
        {"bpm": 240.5, "probability": 0},
    ]
    assert (answer.bpm, answer.confidence) == (120, 0.9)


def test_an_improbable_tempo_or_key_is_null():
    assert tempo_of(tempo([120], [0.4], none=0.6)) is None
    assert tempo_of(tempo([], [], none=1)) is None
    assert key_of([music.Key(0, "major", 0.3)], 0.6) is None
    assert key_of([], 1) is None


def test_five_keys_are_listed():
    keys = [music.Key(number % 12, "minor", 0.04) for number in range(24)]
    answer = key_of(keys, 0.04)
    assert [each.tonic for each in answer.candidates] == ["C", "C#", "D", "Eb", "E"]
