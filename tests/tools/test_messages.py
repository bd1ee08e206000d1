import json

from jsonschema import Draft202012Validator

from tools import messages


def test_the_committed_schema_is_current():
    assert messages.FILE.read_text() == messages.document(), "run: python -m tools.messages"


def test_the_schema_tells_messages_from_others():
    schema = json.loads(messages.FILE.read_text())
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert validator.is_valid({"message": "start", "rolling": True})
    assert not validator.is_valid({"message": "start", "rollin": True})
    assert not validator.is_valid({"message": "final"})
