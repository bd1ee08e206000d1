"""The limits that are published, at ``/v1/limits`` and in problem documents."""

from service import audio
from service.schemas import Limits
from service.settings import Settings
from service.web import sockets, uploads


def limits_of(settings: Settings) -> Limits:
    """Collect the limits of the front-end and of the settings."""
    return Limits(
        min_seconds=audio.MIN_SECONDS,
        max_seconds=settings.max_seconds,
        min_sample_rate=audio.MIN_RATE,
        max_sample_rate=audio.MAX_RATE,
        max_channels=audio.MAX_CHANNELS,
        max_upload_bytes=settings.max_upload_bytes,
        upload_seconds=settings.upload_seconds,
        decode_seconds=settings.decode_seconds,
        workers=settings.workers,
        max_uploads=settings.max_uploads,
        max_live=settings.max_live,
        live_seconds=settings.live_seconds,
        max_message_bytes=sockets.MAX_MESSAGE_BYTES,
        concurrency=settings.concurrency,
        queue_length=settings.queue_length,
        max_batch_files=uploads.MAX_BATCH_FILES,
        max_feedback_bytes=uploads.MAX_JSON_BYTES if settings.feedback else 0,
    )
