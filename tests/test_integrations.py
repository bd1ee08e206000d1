"""docs/INTEGRATIONS.md: its tables are complete, its commands and examples run."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from service.schemas import ANALYSIS
from service.settings import McpSettings
from tests.test_readme import codes

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "INTEGRATIONS.md").read_text()
CLIP = os.fspath(ROOT / "tests" / "clip.m4a")
LOCAL = "http://127.0.0.1:8000"


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def command(beginning):
    """Return the words of the command of the page with a beginning."""
    (line,) = re.findall(rf"^{beginning}.*$", PAGE, re.MULTILINE)
    return shlex.split(line)


def test_every_tool_and_field_is_in_its_table():
    assert set(codes(PAGE, "tool")) == names_in(
        "service/mcp/server.py", r"def (analyze_\w+|similar)\(|name=\"(\w+)\""
    )
    fields = names_in("service/beetsplug/fifteen.py", r"\"fifteen_(\w+)\":")
    fields |= {"valence", "energy", "danceability"}
    assert set(codes(PAGE, "field")) == {f"fifteen_{name}" for name in fields}


def names_in(path, pattern):
    found = re.findall(pattern, (ROOT / path).read_text())
    return {"".join(each) for each in found}


def test_every_option_of_the_plug_in_is_in_its_example():
    (options,) = (
        each["fifteen"] for each in map(yaml.safe_load, blocks("yaml")) if "fifteen" in each
    )
    source = (ROOT / "service" / "beetsplug" / "fifteen.py").read_text()
    defaults = re.search(r"self\.config\.add\(\s*(\{.*?\})", source, re.DOTALL)[1]
    assert options == yaml.safe_load(defaults.replace("True", "true").replace("False", "false"))


def test_the_configuration_of_an_agent_has_arguments_that_the_command_takes():
    (configuration,) = map(json.loads, blocks("json"))
    (server,) = configuration["mcpServers"].values()
    name, _, *options = server["args"]
    assert (server["command"], name) == ("fifteen", "mcp")
    assert {each[2:] for each in options if each.startswith("--")} <= set(McpSettings.model_fields)


def output_of(command, folder):
    """Run a command in a folder; return its output. It finds the programs of this environment."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_generated_python_client_gets_an_answer(server, tmp_path):
    generate = command("openapi-python-client")
    generate[generate.index("openapi.json")] = os.fspath(ROOT / "openapi.json")
    output_of(generate, tmp_path)
    (code,) = blocks("python")
    assert LOCAL in code
    code = code.replace(LOCAL, server).replace("tests/clip.m4a", CLIP)
    assert output_of([sys.executable, "-c", code], tmp_path) == f"{ANALYSIS['reason']}\n"


@pytest.mark.slow
def test_the_generated_typescript_client_gets_an_answer(server, tmp_path):
    generator = shutil.which("openapi-typescript")
    if not (generator and shutil.which("tsc") and shutil.which("node")):
        pytest.skip("openapi-typescript is not installed: its client was not tried")
    (tmp_path / "node_modules").symlink_to(Path(generator).resolve().parents[2])
    _, _, document, *rest = command("npx openapi-typescript")
    output_of([generator, os.fspath(ROOT / document), *rest], tmp_path)
    (code,) = blocks("typescript")
    (tmp_path / "listen.ts").write_text(code)
    (tmp_path / "main.mjs").write_text(
        'import { readFile } from "node:fs/promises";\n'
        'import { listen } from "./listen.js";\n'
        "const recording = new Blob([await readFile(process.argv[3])]);\n"
        "console.log(await listen(process.argv[2], recording));\n"
    )
    (tmp_path / "package.json").write_text('{"type": "module"}')
    options = ["--strict", "--target", "es2022", "--module", "es2022"]
    resolution = ["--moduleResolution", "bundler", "--lib", "es2022,dom"]
    output_of(["tsc", *options, *resolution, "listen.ts"], tmp_path)
    output = output_of(["node", "main.mjs", server, CLIP], tmp_path)
    assert output == f"{ANALYSIS['reason']}\n"
