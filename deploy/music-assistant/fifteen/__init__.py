"""An audio analysis provider of Music Assistant that asks a Fifteen service.

Music Assistant sends the sound of a track while it plays, or in its nightly scan. The provider
keeps the middle minute of it, sends that to the service, and returns the answer, which Music
Assistant stores with the track. It needs no package that Music Assistant does not have.
"""

import io
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import aiohttp
from music_assistant.mass import MusicAssistant
from music_assistant.models.audio_analysis import AudioAnalysisData, AudioAnalysisError
from music_assistant.models.audio_analysis_provider import AudioAnalysisProvider
from music_assistant_models.config_entries import ConfigEntry, ProviderConfig
from music_assistant_models.enums import ConfigEntryType, ContentType, MediaType
from music_assistant_models.media_items import AudioFormat
from music_assistant_models.provider import ProviderManifest
from music_assistant_models.streamdetails import StreamDetails

SECONDS = 60
MOST_BYTES = 30 * 2**20  # of sound; the service takes 32 MiB
TIMEOUT = aiohttp.ClientTimeout(total=60)
RETRY = timedelta(hours=1)
TRY_LATER = {401, 429, 503}
MUSIC = {"confident", "mixed", "unknown_genre"}

ENTRIES = (
    ConfigEntry(
        key="url",
        type=ConfigEntryType.STRING,
        label="Address of the Fifteen service",
        default_value="http://127.0.0.1:8000",
        requires_reload=True,
    ),
    ConfigEntry(
        key="key",
        type=ConfigEntryType.SECURE_STRING,
        label="Key of that service, if it asks for one",
        required=False,
        requires_reload=True,
    ),
)


async def setup(
    mass: MusicAssistant, manifest: ProviderManifest, config: ProviderConfig
) -> "FifteenProvider":
    """Return the provider, as Music Assistant asks for it."""
    return FifteenProvider(mass, manifest, config)


@dataclass
class Excerpt:
    """The part of a track that is kept.

    Attributes
    ----------
    skip : int
        Bytes to leave out before it begins.
    room : int
        Bytes that it may have.
    sound : bytearray
        What arrived of it, PCM.
    """

    skip: int
    room: int
    sound: bytearray = field(default_factory=bytearray)

    def add(self, chunk: bytes) -> None:
        """Keep what belongs to the excerpt of the next bytes of the track."""
        skipped = min(self.skip, len(chunk))
        self.skip -= skipped
        self.sound += chunk[skipped : skipped + self.room - len(self.sound)]


class FifteenProvider(AudioAnalysisProvider):
    """Sends a part of each track to a Fifteen service."""

    analysis_version = 1

    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, **options)
        self.excerpts: dict[str, Excerpt] = {}

    async def get_config_entries(self) -> tuple[ConfigEntry, ...]:
        """Return what a person sets."""
        return ENTRIES

    async def _start_analysis(
        self, session_id: str, streamdetails: StreamDetails, audio_format: AudioFormat
    ) -> bool:
        """Begin with a track; radio and audiobooks are refused."""
        if streamdetails.media_type != MediaType.TRACK:
            return False
        self.excerpts[session_id] = excerpt_of(streamdetails.duration or 0, audio_format)
        return True

    async def process_pcm_chunk(self, session_id: str, pcm_chunk: bytes) -> None:
        """Keep what is needed of the next second of a track."""
        self.excerpts[session_id].add(pcm_chunk)

    async def cancel(self, session_id: str) -> None:
        """Forget a track that was not played to its end."""
        self.excerpts.pop(session_id, None)
        await super().cancel(session_id)

    async def _finalize(self, session_id: str) -> AudioAnalysisData | None:
        """Ask the service; Music Assistant stores what is returned."""
        sound = bytes(self.excerpts.pop(session_id).sound)
        return data_of(await self._ask(wav_of(sound, self._sessions[session_id].audio_format)))

    async def _ask(self, recording: bytes) -> dict:
        """Return the answer of the service as JSON.

        Raises
        ------
        AudioAnalysisError
            If there is none. With a time, if it is worth another try.
        """
        headers = {"Content-Type": "audio/wav"}
        if key := self.config.get_value("key"):
            headers["Authorization"] = f"Bearer {key}"
        url = f"{str(self.config.get_value('url')).rstrip('/')}/v1/analyze"
        later = datetime.now(UTC) + RETRY
        try:
            async with self.mass.http_session.post(
                url, data=io.BytesIO(recording), headers=headers, timeout=TIMEOUT
            ) as response:
                answer = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise AudioAnalysisError(f"No answer from {url}: {error!r}", later) from error
        if not response.ok:
            again = later if response.status in TRY_LATER else None
            raise AudioAnalysisError(answer["detail"], again)
        return answer


def excerpt_of(duration: float, audio_format: AudioFormat) -> Excerpt:
    """Return which part of a track to keep: the middle, at most a minute."""
    frame = audio_format.channels * audio_format.bit_depth // 8
    second = audio_format.sample_rate * frame
    room = min(SECONDS * second, MOST_BYTES // frame * frame)
    skip = max(0, int(duration * second) - room) // 2
    return Excerpt(skip // frame * frame, room)


def wav_of(sound: bytes, audio_format: AudioFormat) -> bytes:
    """Return PCM as a WAV file."""
    is_float = audio_format.content_type in {ContentType.PCM_F32LE, ContentType.PCM_F64LE}
    frame = audio_format.channels * audio_format.bit_depth // 8
    sizes = (audio_format.sample_rate, audio_format.sample_rate * frame, frame)
    coding = struct.pack(
        "<HHIIHH", 3 if is_float else 1, audio_format.channels, *sizes, audio_format.bit_depth
    )
    head = b"WAVEfmt " + struct.pack("<I", len(coding)) + coding
    body = head + b"data" + struct.pack("<I", len(sound)) + sound
    return b"RIFF" + struct.pack("<I", len(body)) + body


def data_of(answer: dict) -> AudioAnalysisData:
    """Return an answer as Music Assistant stores it.

    Loudness is left out: Music Assistant measures the whole track itself.
    """
    kept = ("verdict", "reason", "genre", "genres", "mood", "model")
    data = AudioAnalysisData(extra_data={name: answer[name] for name in kept})
    if answer["verdict"] not in MUSIC:
        return data
    for name in ("valence", "energy", "danceability"):
        setattr(data, name, answer[name])
    for name in ("acousticness", "instrumentalness", "speechiness"):
        setattr(data, name, answer["features"][name])
    if tempo := answer["tempo"]:
        data.bpm = tempo["bpm"]
    if key := answer["key"]:
        data.key, data.mode = key["tonic"], key["mode"]
    return data
