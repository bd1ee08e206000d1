"""The cases of EBU Tech 3341, and FFmpeg's own measure as the reference."""

import math
from time import process_time

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from service import audio
from service.audio.downmix import check
from service.audio.loudness import REACH, Meter, interpolators
from tools import signals
from training.studies.tempo_key.ebur128 import ebur128, wav

RATE = 48_000
STEREO = ("FL", "FR")
SURROUND = ("FL", "FR", "FC", "BL", "BR")
RATES = (8_000, 22_050, 44_100, 48_000, 96_000, 192_000)


def tone(dbfs, seconds, hz=997, rate=RATE, phase=0.0):
    """Return a sine without a step at its ends."""
    time = np.arange(round(seconds * rate)) / rate
    fade = np.clip(np.minimum(time, time[::-1]) / 0.05, 0, 1)
    return (10 ** (dbfs / 20) * fade * np.sin(2 * np.pi * hz * time + phase)).astype(np.float32)


def measured(planes, rate=RATE, layout=STEREO, block=2**16):
    meter = Meter()
    for start in range(0, planes.shape[1], block):
        meter.add(check(planes[:, start : start + block], bounded=False), rate, layout)
    return meter.loudness()


def stereo(*levels_and_seconds):
    """Return tones one after the other on two channels."""
    mono = np.concatenate([tone(*each) for each in levels_and_seconds])
    return np.stack([mono, mono])


@pytest.mark.parametrize(
    ("planes", "lufs"),
    [
        (stereo((-23, 20)), -23),
        (stereo((-33, 20)), -33),
        (stereo((-36, 10), (-23, 60), (-36, 10)), -23),
        (stereo((-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)), -23),
        (stereo((-26, 20), (-20, 20.1), (-26, 20)), -23),
    ],
)
def test_the_cases_of_the_ebu(planes, lufs):
    assert measured(planes).integrated_lufs == pytest.approx(lufs, abs=0.1)


def test_surround_channels_weigh_more():
    planes = np.stack([tone(level, 20) for level in (-28, -28, -24, -30, -30)])
    assert measured(planes, layout=SURROUND).integrated_lufs == pytest.approx(-23, abs=0.1)


def test_the_channel_of_low_frequencies_is_left_out():
    planes = np.stack([tone(-23, 5), tone(-23, 5), tone(0, 5)])
    with_bass = measured(planes, layout=("FL", "FR", "LFE"))
    assert with_bass.integrated_lufs == measured(planes[:2]).integrated_lufs
    assert with_bass.true_peak_dbtp == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize(("divisor", "degrees"), [(4, 0), (4, 45), (6, 60), (8, 67.5), (48, 10)])
def test_the_true_peak_is_between_samples(divisor, degrees):
    peak = tone(-6, 1, RATE / divisor, phase=math.radians(degrees))
    assert measured(np.stack([peak, peak])).true_peak_dbtp == pytest.approx(-6, abs=0.2)


FLAT = {
    "square": lambda time: np.sign(np.sin(2 * np.pi * 441 * time + 0.1)),
    "two": lambda time: sum(np.sign(np.sin(2 * np.pi * hz * time + 1)) for hz in (440, 659)) / 2,
    "pulses": lambda time: (time * 500 % 1 < 0.05).astype(float),
    "clipped": lambda time: np.clip(5 * np.sin(2 * np.pi * 220 * time), -0.9, 0.9),
    "constant": lambda time: np.full(len(time), 0.9),
}
"""Sound with flat tops: of old games' chips, of a recorder that clips, of a broken cable."""


@pytest.mark.parametrize("name", FLAT)
@pytest.mark.parametrize("rate", [22_050, 48_000])
def test_the_peak_of_flat_tops_is_at_their_ends(name, rate):
    wave = FLAT[name](np.arange(rate // 2) / rate).astype(np.float32)
    padded = np.pad(wave, 2 * REACH)
    between = np.abs(sliding_window_view(padded, 2 * REACH) @ interpolators(rate)).max()
    peak = 20 * math.log10(max(between, np.abs(wave).max()))
    assert measured(wave[None], rate, ("FC",)).true_peak_dbtp == pytest.approx(peak, abs=0.01)


@pytest.mark.parametrize("name", FLAT)
def test_flat_tops_take_little_time(name):
    """A small file of ten minutes of them took longer than decoding may."""
    wave = FLAT[name](np.arange(30 * RATE) / RATE).astype(np.float32)
    started = process_time()
    measured(np.stack([wave, wave]))
    assert process_time() - started < 0.5


def test_mono_is_one_channel_and_equal_channels_are_two():
    one = audio.decode(signals.wav(tone(-20, 5), RATE)).loudness
    two = audio.decode(signals.wav(tone(-20, 5), RATE, channels=2)).loudness
    assert one.integrated_lufs == pytest.approx(-23, abs=0.1)
    assert two.integrated_lufs - one.integrated_lufs == pytest.approx(3.01, abs=0.01)


def test_opposite_channels_are_as_loud_as_equal_ones():
    planes = np.stack([tone(-20, 5), -tone(-20, 5)])
    recording = audio.decode(wav(planes, RATE))
    assert recording.out_of_phase
    assert recording.loudness.integrated_lufs == pytest.approx(-20, abs=0.1)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", RATES)
def test_it_agrees_with_ffmpeg(rate, channels):
    planes = np.stack([signals.groove(6, rate, 90 + 30 * seed, seed) for seed in range(channels)])
    ours = audio.decode(wav(planes, rate)).loudness
    lufs, peak = ebur128(planes, rate)
    assert ours.integrated_lufs == pytest.approx(lufs, abs=0.1)  # it states tenths
    assert ours.true_peak_dbtp == pytest.approx(peak, abs=0.2)


@pytest.mark.parametrize("encoding", ["wav", "flac", "m4a", "opus", "mp3"])
def test_the_encoding_changes_little(encoding):
    groove = signals.groove(6, RATE)
    plain = measured(groove[None], layout=("FC",)).integrated_lufs
    decoded = audio.decode(signals.encode(groove, RATE, encoding)).loudness
    assert decoded.integrated_lufs == pytest.approx(plain, abs=0.6)  # MP3 loses most


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "f4", "f8"])
def test_every_type_of_sample_is_at_full_scale_one(dtype):
    planes = stereo((-10, 3))
    if np.dtype(dtype).kind != "f":
        full = 2.0 ** (8 * np.dtype(dtype).itemsize - 1)
        planes = planes * full * 0.999 + (128 if dtype == "u1" else 0)
    found = measured(planes.astype(dtype))
    assert found.integrated_lufs == pytest.approx(-10, abs=0.1)
    assert found.true_peak_dbtp == pytest.approx(-10, abs=0.2)  # eight bits round


@pytest.mark.parametrize("block", [100, 4_799, 65_536])
def test_the_size_of_the_blocks_does_not_matter(block):
    planes = np.stack([signals.groove(3, RATE, seed=seed) for seed in range(2)])
    whole, parts = measured(planes, block=10**9), measured(planes, block=block)
    assert parts.integrated_lufs == pytest.approx(whole.integrated_lufs, abs=1e-3)
    assert parts.true_peak_dbtp == pytest.approx(whole.true_peak_dbtp, abs=1e-3)


@pytest.mark.parametrize("gain_db", [-30, -6, 6])
def test_gain_moves_both_measures(gain_db):
    planes = np.stack([signals.groove(3, RATE, seed=seed) for seed in range(2)])
    plain, louder = measured(planes), measured(planes * np.float32(10 ** (gain_db / 20)))
    assert louder.integrated_lufs - plain.integrated_lufs == pytest.approx(gain_db, abs=0.01)
    assert louder.true_peak_dbtp - plain.true_peak_dbtp == pytest.approx(gain_db, abs=0.01)


def test_the_rate_may_change_midway():
    meter = Meter()
    for rate in (48_000, 44_100):
        meter.add(check(np.stack([tone(-23, 5, rate=rate)] * 2), bounded=False), rate, STEREO)
    assert meter.loudness().integrated_lufs == pytest.approx(-23, abs=0.1)


def test_what_is_not_decoded_does_not_count():
    sound = np.concatenate([tone(-30, 4), tone(-10, 4)])
    recording = audio.decode(signals.wav(sound, RATE), audio.Bounds(max_seconds=4))
    assert recording.loudness.integrated_lufs == pytest.approx(-33, abs=0.1)


@pytest.mark.parametrize("planes", [np.zeros((2, RATE)), stereo((-80, 3)), stereo((-20, 0.3))])
def test_silence_and_a_moment_have_no_loudness(planes):
    assert measured(planes.astype(np.float32)).integrated_lufs is None


def test_silence_has_the_lowest_peak():
    assert measured(np.zeros((2, RATE), np.float32)).true_peak_dbtp == audio.SILENT_DBFS
