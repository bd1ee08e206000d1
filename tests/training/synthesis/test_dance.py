from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import butter, sosfilt

from service import audio
from training.synthesis import dance
from training.synthesis.dance import GENRES, TEMPI, draw_song, synthesise

SECONDS = 10


def rng(seed=0):
    return np.random.default_rng(seed)


def envelope(waveform, rate=210):
    """Level at `rate` Hz."""
    block = audio.SAMPLE_RATE // rate
    blocks = waveform[: len(waveform) // block * block].reshape(-1, block)
    return np.sqrt(np.square(blocks).mean(axis=1))


def likeness(level, seconds):
    """Autocorrelation of a level's onsets at a lag, 1 at most; the best within 10 ms."""
    onsets = np.maximum(np.diff(np.convolve(level, np.hanning(15), "same")), 0)
    onsets = onsets - onsets.mean()
    middle = round(seconds * 210)
    found = [
        np.dot(onsets[:-lag], onsets[lag:]) / np.dot(onsets, onsets)
        for lag in range(middle - 2, middle + 3)
    ]
    return max(found)


def playing_everything(song):
    """The same song with nothing left out."""
    return replace(song, playing={layer: np.ones(song.bars, bool) for layer in song.playing})


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("genre", GENRES)
def test_music_is_a_waveform(genre, seed):
    music = synthesise(genre, 4, rng(seed))
    assert music.shape == (4 * audio.SAMPLE_RATE,)
    assert music.dtype == np.float32
    assert np.abs(music).max() <= 1
    assert np.isfinite(audio.log_mel(audio.windows(music))).all()


@pytest.mark.parametrize("genre", GENRES)
def test_the_seed_determines_the_music(genre):
    first, again, other = (synthesise(genre, 2, rng(seed)) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other, atol=1e-2)


@pytest.mark.parametrize("genre", GENRES)
def test_songs_have_the_tempo_of_the_genre_and_differ(genre):
    songs = [draw_song(genre, SECONDS, rng(seed)) for seed in range(60)]
    low, high = TEMPI[genre]
    assert all(low <= song.bpm <= high for song in songs)
    assert len({song.tonic for song in songs}) > 8
    assert len({song.scale for song in songs}) == len(dance.SCALES)
    assert all(song.n_samples >= SECONDS * audio.SAMPLE_RATE for song in songs)


@pytest.mark.parametrize("genre", GENRES)
def test_no_bar_is_empty(genre):
    for seed in range(100):
        song = draw_song(genre, 60, rng(seed))
        assert np.any(list(song.playing.values()), axis=0).all()


def test_house_has_a_kick_on_every_beat():
    song = playing_everything(draw_song("house", SECONDS, rng(1)))
    positions, _ = dance.kicks_of(song, rng(1))
    beats = np.arange(4 * song.bars) * 60 * audio.SAMPLE_RATE / song.bpm
    distance = np.abs(positions[:, None] - beats[None]).min(axis=0)
    assert distance.max() <= 1


@pytest.mark.parametrize("seed", range(4))
def test_drums_of_house_repeat_with_the_beat(seed):
    song = playing_everything(draw_song("house", SECONDS, rng(seed)))
    drums = dance.drums_of(song, dance.kicks_of(song, rng(seed)), rng(seed))
    low = envelope(sosfilt(butter(4, 120, fs=audio.SAMPLE_RATE, output="sos"), drums))
    beat = 60 / song.bpm
    assert likeness(low, beat) > 0.5
    assert likeness(low, beat) > 0.5 + likeness(low, 0.83 * beat)


def test_the_snare_of_dubstep_is_on_the_third_beat():
    song = playing_everything(draw_song("dubstep", SECONDS, rng(2)))
    positions, strengths = dance.hits(song, "snare", [dance.pattern_of(8)], rng())
    beats = positions * song.bpm / 60 / audio.SAMPLE_RATE
    np.testing.assert_allclose(beats % 4, 2, atol=1e-3)
    assert len(strengths) == song.bars


@pytest.mark.parametrize("seed", range(4))
def test_the_rates_of_a_wobble_follow_the_beat(seed):
    song = playing_everything(draw_song("dubstep", SECONDS, rng(seed)))
    wobble = dance.wobble(song, rng(seed))
    assert wobble.min() >= 0
    assert wobble.max() <= 1
    level = wobble[:: audio.SAMPLE_RATE // 210]
    power = np.square(np.abs(np.fft.rfft(level - level.mean())))
    hz = np.fft.rfftfreq(len(level), (audio.SAMPLE_RATE // 210) / audio.SAMPLE_RATE)
    fastest = 6 * song.bpm / 60
    assert power[(hz > 0.2) & (hz < 1.2 * fastest)].sum() > 0.75 * power.sum()


def test_the_bass_of_dubstep_wobbles_and_has_a_sub():
    wobbling = []
    for seed in range(4):
        song = playing_everything(draw_song("dubstep", 6, rng(seed)))
        bass = dance.wobble_bass(song, rng(seed))
        sub = sosfilt(butter(4, 150, fs=audio.SAMPLE_RATE, output="sos"), bass)
        assert np.square(sub).sum() > 0.02 * np.square(bass).sum()
        high = sosfilt(butter(4, 400, "highpass", fs=audio.SAMPLE_RATE, output="sos"), bass)
        level = envelope(high)
        wobbling.append(level.std() / level.mean())
    assert np.mean(wobbling) > 0.3


@pytest.mark.parametrize("shape", ["saw", "pulse", "triangle", "sine"])
def test_an_oscillator_is_in_tune(shape):
    tone = dance.oscillator(np.full(audio.SAMPLE_RATE, 441.0), shape, rng())
    spectrum = np.abs(np.fft.rfft(tone * np.hanning(len(tone))))
    assert np.argmax(spectrum[100:]) + 100 == pytest.approx(441, abs=1)
    assert spectrum[np.arange(20, 400)].max() < 0.01 * spectrum.max()  # no aliases below


def test_a_rising_cutoff_passes_more_noise():
    noise = rng().normal(size=4 * audio.SAMPLE_RATE)
    filtered = dance.moving_lowpass(noise, np.linspace(100, 8_000, len(noise)), 0.7)
    quarters = [np.square(part).mean() for part in np.split(filtered, 4)]
    assert quarters == sorted(quarters)
    assert quarters[3] > 4 * quarters[0]


def test_kicks_reduce_the_level_of_the_music():
    song = playing_everything(draw_song("house", SECONDS, rng(3)))
    kicks = dance.kicks_of(song, rng(3))
    gains = np.stack([dance.side_chain(song, kicks, rng(seed)) for seed in range(8)])
    assert gains.min() >= 0
    assert gains.max() <= 1
    assert gains[:, kicks[0][1:]].mean() < 0.8 * gains.mean()


@pytest.mark.parametrize(
    "sound",
    [
        dance.kick,
        dance.snare,
        dance.clap,
        dance.percussion,
        lambda rng: dance.hat(rng, 0.05),
    ],
)
def test_drums_are_short_and_loud_and_differ(sound):
    first, second = sound(rng(1)), sound(rng(2))
    assert np.abs(first).max() == pytest.approx(1, abs=1e-3)
    assert 0.01 < len(first) / audio.SAMPLE_RATE < 2
    assert len(first) != len(second) or not np.allclose(first, second, atol=0.01)


def test_a_sound_is_repeated_at_the_positions():
    sound = np.array([1, 0.5], np.float32)
    np.testing.assert_allclose(dance.place(5, [0, 4, 9], [1, 0.5, 1], sound), [1, 0.5, 0, 0, 0.5])
