"""TypeScript declarations of the interface, from its OpenAPI document.

The usual generators run on Node.js, which nothing else here needs. Pydantic writes only a small
part of JSON Schema.
"""

import re
import textwrap
from typing import Any

HEAD = """\
/**
 * The answers of Fifteen's interface. Made from its OpenAPI document by `make client`.
 */
"""
NAME = re.compile(r"[A-Za-z_]\w*")


def declarations(document: dict[str, Any]) -> str:
    """Declare every schema of an OpenAPI document that is part of an answer."""
    schemas = document["components"]["schemas"]
    answers = {name: schema for name, schema in schemas.items() if not _of_a_request(name)}
    return "\n".join([HEAD, *(_interface(*item) for item in sorted(answers.items()))])


def _of_a_request(name: str) -> bool:
    """Return whether a name is FastAPI's for a form, or for its own errors, which are not sent."""
    return name.startswith("Body_") or name in ("HTTPValidationError", "ValidationError")


def _interface(name: str, schema: dict[str, Any]) -> str:
    if "properties" not in schema:
        return f"{_comment(schema)}export type {name} = {_type(schema)};\n"
    required = schema.get("required", [])
    members = [
        textwrap.indent(
            f"{_comment(member)}{key}{'' if key in required else '?'}: {_type(member)};\n", "  "
        )
        for key, member in schema["properties"].items()
    ]
    return f"{_comment(schema)}export interface {name} {{\n{''.join(members)}}}\n"


def _comment(schema: dict[str, Any]) -> str:
    text = schema.get("description", "")
    lines = [line for part in text.splitlines() for line in textwrap.wrap(part, 94) or [""]]
    if len(lines) < 2:
        return f"/** {text} */\n" if text else ""
    return "/**\n" + "".join(f" * {line}".rstrip() + "\n" for line in lines) + " */\n"


def _type(schema: dict[str, Any]) -> str:
    match schema:
        case {"$ref": reference}:
            return reference.rpartition("/")[2]
        case {"anyOf": choices} | {"oneOf": choices}:
            return " | ".join(dict.fromkeys(_type(choice) for choice in choices))
        case {"allOf": [only]}:
            return _type(only)
        case {"const": value}:
            return _literal(value)
        case {"enum": values}:
            return " | ".join(_literal(value) for value in values)
        case {"type": "array", "items": items}:
            inner = _type(items)
            return f"{inner}[]" if NAME.fullmatch(inner) else f"({inner})[]"
        case {"type": "object"}:
            return _record(schema)
        case {"type": kind}:
            return {"integer": "number"}.get(kind, kind)
    return "unknown"


def _record(schema: dict[str, Any]) -> str:
    values = schema.get("additionalProperties", {})
    inner = _type(values) if isinstance(values, dict) else "unknown"
    keys = schema.get("propertyNames", {"type": "string"})
    if "enum" in keys:
        return f"Partial<Record<{_type(keys)}, {inner}>>"
    return f"Record<string, {inner}>"


def _literal(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()
