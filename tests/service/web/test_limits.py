from service import audio
from service.settings import Settings
from service.web import sockets, uploads
from service.web.limits import limits_of

SET = {
    "max_upload_bytes": 1,
    "upload_seconds": 2.5,
    "max_uploads": 3,
    "max_seconds": 4.0,
    "decode_seconds": 5.5,
    "max_live": 9,
    "live_seconds": 10.5,
    "concurrency": 6,
    "queue_length": 7,
    "workers": 8,
}


def test_limits_come_from_the_settings_and_the_front_end():
    assert limits_of(Settings(**SET)).model_dump() == SET | {
        "min_seconds": audio.MIN_SECONDS,
        "min_sample_rate": audio.MIN_RATE,
        "max_sample_rate": audio.MAX_RATE,
        "max_channels": audio.MAX_CHANNELS,
        "max_message_bytes": sockets.MAX_MESSAGE_BYTES,
        "max_batch_files": uploads.MAX_BATCH_FILES,
        "max_feedback_bytes": 0,
    }


def test_limits_are_published(client):
    published = client.get("/v1/limits").json()
    assert published == limits_of(client.app.state.settings).model_dump()
    assert published["max_upload_bytes"] == Settings().max_upload_bytes
