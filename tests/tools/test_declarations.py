from typing import get_args

import pytest

from tools import client_files, messages
from tools.client_files import DECLARATIONS
from tools.declarations import declarations


def declared(schema):
    return declarations({"components": {"schemas": {"It": schema}}}).partition("*/\n\n")[2]


def test_the_committed_file_is_current():
    assert DECLARATIONS.read_text() == client_files.declared(), "run `make client`"


def test_every_message_of_a_live_connection_is_declared():
    text = client_files.declared()
    for kind in (*messages.SENT, *messages.ANSWERED):
        interface = text.partition(f"export interface {kind.__name__} {{")[2].partition("\n}")[0]
        name = kind.model_fields["message"].annotation
        assert f'message: "{get_args(name)[0]}";' in interface
        for member in kind.model_fields:
            assert f"  {member}:" in interface or f"  {member}?:" in interface
    assert "  key?: string | null;" in text


def test_every_answer_is_declared():
    text = DECLARATIONS.read_text()
    for name in ("Analysis", "GenreProbability", "ModelCard", "Problem", "Ready"):
        assert f"export interface {name} {{" in text


@pytest.mark.parametrize(
    ("schema", "type_"),
    [
        ({"type": "string"}, "string"),
        ({"type": "integer"}, "number"),
        ({"type": "boolean"}, "boolean"),
        ({"const": "ok", "type": "string"}, '"ok"'),
        ({"enum": ["a", 1, True]}, '"a" | 1 | true'),
        ({"$ref": "#/components/schemas/Other"}, "Other"),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, "number | null"),
        ({"type": "array", "items": {"type": "number"}}, "number[]"),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, '("a" | "b")[]'),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "Record<string, number>"),
        ({"type": "object"}, "Record<string, unknown>"),
        (
            {
                "type": "object",
                "additionalProperties": {"type": "number"},
                "propertyNames": {"enum": ["a", "b"]},
            },
            'Partial<Record<"a" | "b", number>>',
        ),
        ({}, "unknown"),
    ],
)
def test_types(schema, type_):
    assert declared(schema) == f"export type It = {type_};\n"


def test_members():
    schema = {
        "description": "What it is.",
        "properties": {"a": {"type": "string", "description": "One.\n\nTwo."}, "b": {}},
        "required": ["a"],
    }
    assert declared(schema) == (
        "/** What it is. */\n"
        "export interface It {\n"
        "  /**\n   * One.\n   *\n   * Two.\n   */\n"
        "  a: string;\n"
        "  b?: unknown;\n"
        "}\n"
    )


def test_schemas_outside_answers_are_left_out():
    schemas = {"Body_upload": {}, "ValidationError": {}, "HTTPValidationError": {}}
    text = declarations({"components": {"schemas": schemas}})
    assert "export" not in text
