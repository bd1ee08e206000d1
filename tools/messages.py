"""``python -m tools.messages``: update ``docs/live.schema.json`` after a change of the messages.

It is the JSON Schema of the messages of ``/v1/live``, which OpenAPI cannot describe.
"""

import json
from pathlib import Path

from pydantic.json_schema import models_json_schema

from service.messages import LiveEnd, LiveFinal, LiveProblem, LiveReady, LiveRunning, LiveStart

FILE = Path(__file__).parent.parent / "docs" / "live.schema.json"
SENT = (LiveStart, LiveEnd)
ANSWERED = (LiveReady, LiveRunning, LiveFinal, LiveProblem)


def schemas(place):
    """Return the schema of each message, and of what is in them, by name.

    Parameters
    ----------
    place : str
        Where they are in the document: ``#/$defs/{model}``.
    """
    kinds = [(kind, "validation") for kind in SENT]
    kinds += [(kind, "serialization") for kind in ANSWERED]
    return models_json_schema(kinds, ref_template=place)[1]["$defs"]


def document():
    """Return the schema in the repository's format."""
    names = {
        side: {"oneOf": [{"$ref": f"#/$defs/{kind.__name__}"} for kind in kinds]}
        for side, kinds in (("Sent", SENT), ("Answered", ANSWERED))
    }
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Messages of /v1/live",
        "description": "Sent by the client, and answered by the service.",
        "anyOf": [{"$ref": f"#/$defs/{side}"} for side in names],
        "$defs": names | schemas("#/$defs/{model}"),
    }
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(document())
