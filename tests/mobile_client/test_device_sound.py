"""The front-end in JavaScript equals `service.audio`, in a browser."""

import base64

import numpy as np
import pytest

from service import audio
from service.settings import Settings
from tools import device, signals
from tools.browser import CLIP
from tools.static import hosting

pytestmark = pytest.mark.slow

TOLERANCE = 0.05  # dB

MODULES = """
const { rateOf } = await import("/rate.js");
const { load } = await import("/numbers.js");
const { prepare } = await import("/analysis.js");
const { logMel } = await import("/spectrogram.js");
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const text = ({ buffer }) => {
  let letters = "";
  for (const byte of new Uint8Array(buffer)) letters += String.fromCharCode(byte);
  return btoa(letters);
};
const numbers = await load();
const transformed = (sound) => {
  const { windows, ...rest } = prepare(sound, numbers);
  const levels = windows.map(logMel(numbers.audio));
  return { ...rest, waveform: rest.waveform.length, windows: levels.map(text) };
};
"""
OF_CHANNELS = f"""async ({{ channels, rate }}) => {{
  {MODULES}
  const arrays = channels.map((each) => new Float32Array(bytes(each).buffer));
  return transformed({{ channels: arrays, rate }});
}}"""
OF_FILE = f"""async (file) => {{
  {MODULES}
  const rate = rateOf(bytes(file));
  const buffer = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes(file).buffer);
  const places = [...Array(buffer.numberOfChannels).keys()];
  const channels = places.map((place) => buffer.getChannelData(place));
  return {{ rate, ...transformed({{ channels, rate }}) }};
}}"""


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    """A page that can import the modules."""
    folder = tmp_path_factory.mktemp("device")
    device.build(folder, None, Settings())
    with hosting(folder) as origin:
        page = browser.new_page()
        page.goto(f"{origin}/{device.DEVICE_NUMBERS}")
        yield page
        page.close()


def in_browser(page, channels, rate):
    """What the modules make of channels; their spectrograms as arrays."""
    sent = [base64.b64encode(each.astype("<f4").tobytes()).decode() for each in channels]
    return _read(page.evaluate(OF_CHANNELS, {"channels": sent, "rate": rate}))


def _read(found):
    levels = [np.frombuffer(base64.b64decode(each), "<f4") for each in found["windows"]]
    return found | {"windows": np.stack(levels).reshape(-1, audio.N_MELS, audio.N_FRAMES)}


def in_service(channels, rate):
    """The same of the service."""
    recording = audio.decode(signals.float_wav(channels, rate))
    cut = audio.cut(recording.waveform)
    return recording, cut, audio.log_mel(cut.windows)


def noise(rate, seconds=4, seed=0):
    """Noise on two channels that begins within 10 ms.

    soxr answers to a first sample at full level a little otherwise than to any other.
    """
    channels = np.random.default_rng(seed).normal(0, 0.1, (2, rate * seconds))
    begin = rate // 100
    channels[:, :begin] *= np.linspace(0, 1, begin) ** 2
    return channels.astype(np.float32)


@pytest.mark.parametrize("rate", [audio.SAMPLE_RATE, *device.RATES])
def test_spectrograms_equal(page, rate):
    channels = noise(rate)
    recording, cut, expected = in_service(channels, rate)
    found = in_browser(page, channels, rate)
    assert found["waveform"] == len(recording.waveform)
    bands = audio.mel_edges()[2:] < rate / 2  # above, there is only what the filters let through
    assert np.abs(found["windows"] - expected)[:, bands].max() < TOLERANCE
    assert found["peaks"] == pytest.approx(cut.peaks_dbfs, abs=0.01)
    assert found["lasting"] == pytest.approx(cut.lasting_dbfs, abs=0.01)


@pytest.mark.parametrize("seconds", [3, 14.99, 15, 17.9, 18, 35])
def test_windows_equal(page, seconds):
    channels = np.stack([signals.groove(seconds, 44_100)] * 2)
    _, cut, expected = in_service(channels, 44_100)
    found = in_browser(page, channels, 44_100)
    assert (found["starts"], found["ends"]) == (cut.starts, cut.ends)
    assert np.abs(found["windows"] - expected).max() < TOLERANCE


GROOVE = signals.groove(4, 44_100)
LOUD = noise(44_100, seed=1)[0]


@pytest.mark.parametrize(
    ("channels", "out_of_phase"),
    [
        ([GROOVE, GROOVE], False),
        ([GROOVE, -GROOVE], True),
        ([GROOVE, 0 * GROOVE], False),
        ([GROOVE, -0.9 * GROOVE, 0.1 * LOUD, 0.1 * LOUD], True),
        ([GROOVE, LOUD], False),
    ],
)
def test_channels_that_cancel_are_not_averaged(page, channels, out_of_phase):
    channels = np.stack(channels)
    recording, _, expected = in_service(channels, 44_100)
    found = in_browser(page, channels, 44_100)
    assert found["outOfPhase"] == recording.out_of_phase == out_of_phase
    assert np.abs(found["windows"] - expected).max() < TOLERANCE


ENCODINGS = ["wav", "flac", "mp3", "m4a", "fragmented-mp4", "adts", "opus", "webm", "vorbis"]
OWN_DECODER = ["opus", "webm"]  # Chromium's libopus and FFmpeg's own decoder are not equal


@pytest.mark.parametrize("rate", [44_100, 48_000])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_files_that_the_browser_decodes(page, encoding, rate):
    if encoding in OWN_DECODER:
        rate = 48_000
    data = signals.encode(signals.groove(15.5, rate), rate, encoding, 2)
    expected = audio.log_mel(audio.windows(audio.decode(data).waveform))
    found = _read(page.evaluate(OF_FILE, base64.b64encode(data).decode()))
    assert found["rate"] == rate
    difference = np.abs(found["windows"] - expected)
    if encoding in OWN_DECODER:
        assert difference.mean() < 0.5  # the answers are compared in test_device.py
    else:
        assert difference.max() < TOLERANCE


def test_the_clip(page):
    found = _read(page.evaluate(OF_FILE, base64.b64encode(CLIP.read_bytes()).decode()))
    expected = audio.log_mel(audio.windows(audio.decode(CLIP.read_bytes()).waveform))
    # Decoders may disagree on the last samples of AAC, and so on the last frame.
    assert np.abs(found["windows"] - expected)[..., :-2].max() < TOLERANCE
