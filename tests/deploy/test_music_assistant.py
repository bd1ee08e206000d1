"""deploy/music-assistant: the provider asks a real service, and returns what it answers.

The data types of Music Assistant are the real ones. Its server is in no package index, so the base
class and its result are stand-ins, after the server's development version.
"""

import asyncio
import importlib
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import aiohttp
import av
import numpy as np
import pytest

from service.schemas import ANALYSIS
from tests.deploy.others import install_beside, on_request

ROOT = Path(__file__).parents[2]
PROVIDER = ROOT / "deploy" / "music-assistant" / "fifteen"
CLIP = ROOT / "tests" / "clip.m4a"
TYPES = "music-assistant-models==1.1.211"
PYTHON = (3, 12)  # of its syntax
SCORES = ("valence", "energy", "danceability")


def test_the_manifest_names_the_folder():
    manifest = json.loads((PROVIDER / "manifest.json").read_text())
    assert manifest["domain"] == PROVIDER.name
    assert manifest["type"] == "audio_analysis"
    assert manifest["requirements"] == []


class AudioAnalysisError(Exception):
    def __init__(self, reason, retry_at=None):
        assert retry_at is None or retry_at.tzinfo
        super().__init__(reason)
        self.reason, self.retry_at = reason, retry_at


class AudioAnalysisProvider:
    def __init__(self, mass, manifest, config, supported_features=None):
        self.mass, self.manifest, self.config, self._sessions = mass, manifest, config, {}

    async def start_analysis(self, session_id, streamdetails, audio_format):
        self._sessions[session_id] = SimpleNamespace(
            streamdetails=streamdetails, audio_format=audio_format
        )
        return await self._start_analysis(session_id, streamdetails, audio_format)

    async def cancel(self, session_id):
        self._sessions.pop(session_id, None)


STAND_INS = {
    "": {},
    ".mass": {"MusicAssistant": object},
    ".models": {},
    ".models.audio_analysis": {
        "AudioAnalysisData": SimpleNamespace,
        "AudioAnalysisError": AudioAnalysisError,
    },
    ".models.audio_analysis_provider": {"AudioAnalysisProvider": AudioAnalysisProvider},
}


@pytest.fixture
def provider_module(monkeypatch, tmp_path):
    if sys.version_info < PYTHON:
        pytest.skip("The types of Music Assistant need Python 3.12: the provider was not loaded")
    monkeypatch.syspath_prepend(install_beside(tmp_path / "packages", TYPES))
    monkeypatch.syspath_prepend(PROVIDER.parent)
    for name, content in STAND_INS.items():
        module = ModuleType(f"music_assistant{name}")
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    yield importlib.import_module(PROVIDER.name)
    del sys.modules[PROVIDER.name]


def waveform(seconds):
    """Return the clip, repeated for so many seconds, in stereo, and its rate."""
    with av.open(CLIP) as file:
        rate = file.streams.audio[0].rate
        parts = [frame.to_ndarray()[0] for frame in file.decode(audio=0)]
    one = np.resize(np.concatenate(parts), round(seconds * rate)).clip(-1, 1)
    return np.repeat(one[:, None], 2, axis=1), rate


def pcm(samples, name):
    """Return samples as PCM of a content type of Music Assistant."""
    if name == "PCM_F32LE":
        return samples.astype("<f4").tobytes()
    bits = int(name[5:7])
    whole = np.round(samples * (2 ** (bits - 1) - 1)).astype("<i8")
    return whole.view(np.uint8).reshape(*whole.shape, 8)[..., : bits // 8].tobytes()


async def play(module, url, name="PCM_S16LE", seconds=15.0, media="TRACK", key=None):
    """Play the clip to the provider, a second at a time; return its provider and its result."""
    from music_assistant_models.enums import ContentType, MediaType  # noqa: PLC0415 - of the fixture
    from music_assistant_models.media_items import AudioFormat  # noqa: PLC0415
    from music_assistant_models.provider import ProviderManifest  # noqa: PLC0415
    from music_assistant_models.streamdetails import StreamDetails  # noqa: PLC0415

    samples, rate = waveform(seconds)
    sound, bits = pcm(samples, name), int(name[5:7])
    audio_format = AudioFormat(
        content_type=ContentType[name], sample_rate=rate, bit_depth=bits, channels=2
    )
    details = StreamDetails(
        provider="files",
        item_id="1",
        audio_format=audio_format,
        media_type=MediaType[media],
        duration=round(seconds),
    )
    manifest = await ProviderManifest.parse(PROVIDER / "manifest.json")
    config = SimpleNamespace(get_value={"url": url, "key": key}.get)
    async with aiohttp.ClientSession() as session:
        mass = SimpleNamespace(http_session=session)
        provider = await module.setup(mass, manifest, config)
        if not await provider.start_analysis("session", details, audio_format):
            return provider, None
        for start in range(0, len(sound), audio_format.pcm_sample_size):
            chunk = sound[start : start + audio_format.pcm_sample_size]
            await provider.process_pcm_chunk("session", chunk)
        provider.kept = len(provider.excerpts["session"].sound) / audio_format.pcm_sample_size
        return provider, await provider._finalize("session")


@pytest.mark.slow
@on_request
def test_a_track_has_the_answer_of_the_service(provider_module, server):
    for name in ("PCM_S16LE", "PCM_S24LE", "PCM_S32LE", "PCM_F32LE"):
        provider, data = asyncio.run(play(provider_module, f"{server}/", name))
        assert not provider.excerpts
        assert provider.kept == pytest.approx(15, abs=0.1), name
        for member in ("genre", "verdict", "mood"):
            assert data.extra_data[member] == ANALYSIS[member], name
        for score in SCORES:
            assert getattr(data, score) == pytest.approx(ANALYSIS[score], abs=0.02), name
        assert data.bpm == pytest.approx(ANALYSIS["tempo"]["bpm"], abs=0.5), name
        assert (data.key, data.mode) == (ANALYSIS["key"]["tonic"], ANALYSIS["key"]["mode"]), name
        assert data.instrumentalness == pytest.approx(
            ANALYSIS["features"]["instrumentalness"], abs=0.02
        )


@pytest.mark.slow
@on_request
def test_of_a_long_track_the_middle_minute_is_sent(provider_module, server):
    provider, data = asyncio.run(play(provider_module, server, seconds=200.5))
    assert provider.kept == 60
    assert data.extra_data["genre"] == ANALYSIS["genre"]


@pytest.mark.slow
@on_request
def test_what_is_no_track_is_refused(provider_module, server):
    assert asyncio.run(play(provider_module, server, media="RADIO"))[1] is None


@pytest.mark.slow
@on_request
@pytest.mark.parametrize(
    ("url", "seconds", "reason", "again"),
    [
        (None, 1, "Send at least 3 s", False),
        ("http://127.0.0.1:9", 15, "No answer from http://127.0.0.1:9/v1/analyze", True),
    ],
    ids=["short", "away"],
)
def test_a_failure_says_why_and_whether_to_try_again(
    provider_module, server, url, seconds, reason, again
):
    with pytest.raises(AudioAnalysisError, match=reason) as error:
        asyncio.run(play(provider_module, url or server, seconds=seconds))
    assert bool(error.value.retry_at) == again
