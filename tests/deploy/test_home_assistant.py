"""Home Assistant: the real one reads deploy/home-assistant, asks, and has the answers.

Its integration `mcp` needs a newer Python; the two packages of which it is made ask here.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
import yaml

from service.schemas import ANALYSIS
from tests.deploy.others import PIP, install, on_request, output_of
from tools import signals
from tools.server import free_port

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy" / "home-assistant" / "fifteen.yaml"
RECORDING, LOCAL = "/media/living-room.wav", "http://127.0.0.1:8000"
PROGRAM = "homeassistant"  # the newest for this Python
ROOM = "sensor.music_in_the_living_room"
START = """
import asyncio, json, sys
from homeassistant.bootstrap import async_setup_hass
from homeassistant.runner import RuntimeConfig

async def main():
    home = await async_setup_hass(RuntimeConfig(config_dir=sys.argv[1], safe_mode=False))
    await home.async_start()
    await home.async_block_till_done()
    found = home.states.async_all("sensor")
    states = {each.entity_id: [each.state, dict(each.attributes)] for each in found}
    print("STATES " + json.dumps(states, default=str))
    await home.async_stop()

asyncio.run(main())
"""
AGENT = ("mcp>=1.24,<2", "voluptuous-openapi")
USE = """
import asyncio, json, sys
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from voluptuous_openapi import convert_to_voluptuous

async def main():
    async with streamable_http_client(url=sys.argv[1]) as (read, write, _):
        async with ClientSession(read, write) as session:
            await session.initialize()
            tools = {each.name: each.inputSchema for each in (await session.list_tools()).tools}
            asked = convert_to_voluptuous(tools["analyze_file"])({"path": "clip.m4a"})
            answer = await session.call_tool("analyze_file", asked)
            accepted = [name for name, schema in tools.items() if convert_to_voluptuous(schema)]
            print(json.dumps([accepted, json.loads(answer.content[0].text)]))

asyncio.run(main())
"""


def test_the_file_is_yaml_and_asks_one_service():
    assert yaml.safe_load(FILE.read_text()).keys() == {"rest", "command_line"}
    assert FILE.read_text().count(LOCAL) == 2
    assert FILE.read_text().count(RECORDING) == 1


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """A Python that has Home Assistant, with the versions that it names itself."""
    folder = tmp_path_factory.mktemp("home-assistant")
    output_of(*PIP, "download", "--no-deps", "--dest", folder, PROGRAM)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        versions = archive.extract(f"{PROGRAM}/package_constraints.txt", folder)
    return install(folder / "environment", "--constraint", versions, wheel) / "python"


@pytest.mark.slow
@pytest.mark.timeout(900)
@on_request
def test_the_sensors_have_the_answers(python, server, tmp_path):
    recording = tmp_path / "room.wav"
    states = {}
    for name, content in {
        "clip": (ROOT / "tests" / "clip.m4a").read_bytes(),
        "silence": signals.wav(0 * signals.sine(5), 22_050),
        "short": signals.wav(signals.sine(1), 22_050),
    }.items():
        recording.write_bytes(content)
        states[name] = start(python, tmp_path / name, server, recording)
    assert {each["sensor.fifteen"][0] for each in states.values()} == {"ready"}
    state, attributes = states["clip"][ROOM]
    assert state == ANALYSIS["genre"]
    assert {name: attributes[name] for name in ("verdict", "mood", "energy")} == {
        name: ANALYSIS[name] for name in ("verdict", "mood", "energy")
    }
    assert states["silence"][ROOM][0] == "silence"
    state, attributes = states["short"][ROOM]
    assert state == "unknown"
    assert attributes["detail"]


def start(python, folder, server, recording):
    """Start Home Assistant with the file as a package; return its sensors."""
    (folder / "packages").mkdir(parents=True)
    text = FILE.read_text().replace(LOCAL, server).replace(RECORDING, os.fspath(recording))
    (folder / "packages" / "fifteen.yaml").write_text(text)
    (folder / "configuration.yaml").write_text(
        "homeassistant:\n  packages: !include_dir_named packages\n"
    )
    output = output_of(python, "-c", START, folder, cwd=folder)
    (line,) = (line for line in output.splitlines() if line.startswith("STATES "))
    shutil.rmtree(folder)
    return json.loads(line.partition(" ")[2])


@pytest.mark.slow
@on_request
def test_its_agents_can_use_the_tools(tmp_path):
    python = install(tmp_path / "environment", *AGENT) / "python"
    (tmp_path / "music").mkdir()
    shutil.copy(ROOT / "tests" / "clip.m4a", tmp_path / "music")
    port = free_port()
    command = [sys.executable, "-m", "service", "mcp", tmp_path / "music", "--http", str(port)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        wait_until_listening(port)
        output = output_of(python, "-c", USE, f"http://127.0.0.1:{port}/mcp")
    finally:
        process.terminate()
        assert process.wait(60) == 0
    tools, answer = json.loads(output)
    assert set(tools) == {"analyze_file", "analyze_folder", "similar", "explain"}
    assert answer["genre"] == ANALYSIS["genre"]


def wait_until_listening(port):
    for _ in range(600):
        with socket.socket() as trial:
            if not trial.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.1)
    pytest.fail("The server did not start.")
