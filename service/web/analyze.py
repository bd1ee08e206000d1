"""The analysis over HTTP: POST a recording, get what a model hears in it."""

from functools import partial
from typing import Any

from fastapi import APIRouter, Depends, Request

from service import audio
from service.analysis import analyse
from service.schemas import Analysis
from service.web import problems, uploads
from service.web.admission import unless_sender_leaves
from service.web.dependencies import (
    AskedModelDep,
    QueueDep,
    SettingsDep,
    UploadDep,
    require_ready,
)

router = APIRouter(tags=["analysis"], dependencies=[Depends(require_ready)])

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_REQUEST_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            uploads.FORM: {
                "schema": {
                    "type": "object",
                    "required": [uploads.FILE_PART],
                    "properties": {
                        uploads.FILE_PART: {**_BINARY["schema"], "description": "The recording."}
                    },
                }
            },
        }
        | dict.fromkeys(uploads.RAW, _BINARY),
    }
}


@router.post(
    "/v1/analyze", openapi_extra=_REQUEST_BODY, responses=problems.responses(*problems.KINDS)
)
async def analyze(
    request: Request,
    settings: SettingsDep,
    model: AskedModelDep,
    queue: QueueDep,
    upload: UploadDep,
) -> Analysis:
    """Say what a model hears in a recording: genre, valence, energy and danceability.

    The verdict says what the answer is worth: speech, noise and silence have one, too.

    Send the file as a form's part `file`, or as the body itself. Fifteen seconds are best: a
    longer recording is answered by the mean over its windows of 15 s, a shorter one is repeated.
    The container is recognised by its content, whatever the request calls it.
    """
    bounds = audio.Bounds(settings.max_seconds, settings.decode_seconds, queue.check)
    work = partial(analyse, upload, model, bounds)
    analysis, _ = await unless_sender_leaves(request, partial(queue.run, work))
    return analysis
