import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters, stdio_client
from starlette.testclient import TestClient

from service.__main__ import main
from service.mcp.recordings import Recordings
from service.mcp.server import build
from service.schemas import Analysis
from service.settings import McpSettings
from tools import signals
from tools.server import free_port

ROOT = Path(__file__).parents[3]
TOOLS = {"analyze_file", "analyze_folder", "similar", "explain"}


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """A folder of an agent: sounds, a text, a damaged file, links; and a secret outside."""
    outside = tmp_path_factory.mktemp("agent")
    folder = outside / "music"
    (folder / "deep").mkdir(parents=True)
    groove = signals.groove(5, 44_100)
    (folder / "a.wav").write_bytes(signals.wav(groove, 44_100))
    (folder / "deep" / "b.mp3").write_bytes(signals.encode(groove, 44_100, "mp3"))
    (folder / "c.wav").write_bytes(signals.wav(0.5 * signals.sine(5), 22_050))
    (folder / "broken.mp3").write_bytes(b"ID3 and nothing more")
    (folder / "note.txt").write_text("Nothing to hear.")
    shutil.copy(folder / "a.wav", outside / "secret.wav")
    (folder / "out.wav").symlink_to(outside / "secret.wav")
    return folder


@pytest.fixture(scope="module")
def library(music, tiny_models):
    """Records of the folder with embeddings."""
    path = music.parent / "library.jsonl"
    paths = map(os.fspath, (music / "a.wav", music / "deep", music / "c.wav"))
    model = ["--models", os.fspath(tiny_models), "--model", "tiny"]
    asked = ["--output", os.fspath(path), "--embedding", "true", "--jobs", "1"]
    assert main(["analyze", *paths, *asked, *model]) == 0
    return path


def settings(music, tiny_models, **more):
    return McpSettings(folders=(music,), models=tiny_models, model="tiny", jobs=1, **more)


@pytest.fixture(scope="module")
def server(music, tiny_models):
    """A server in this process, without a library."""
    return build(Recordings(settings(music, tiny_models)))


def call(server, tool, **arguments):
    """Call a tool of a server; return its result."""

    async def calling():
        async with Client(server) as client:
            return await client.call_tool(tool, arguments)

    return asyncio.run(calling())


def message(result):
    """Return the message of a call that failed."""
    assert result.is_error
    (content,) = result.content
    return content.text


def test_the_tools_are_described_and_change_nothing(server):
    async def listing():
        async with Client(server) as client:
            return client.instructions, (await client.list_tools()).tools

    instructions, tools = asyncio.run(listing())
    assert {tool.name for tool in tools} == TOOLS
    for tool in tools:
        assert tool.description
        assert tool.annotations.read_only_hint
        for name, schema in tool.input_schema["properties"].items():
            assert schema["description"], name
    assert "verdict" in instructions


@pytest.mark.parametrize("name", ["a.wav", "deep/b.mp3"])
def test_a_file_is_analyzed(server, music, name):
    result = call(server, "analyze_file", path=os.fspath(music / name), timeline=True)
    analysis = Analysis.model_validate(result.structured_content)
    assert not result.is_error
    assert analysis.model.name == "tiny"
    assert len(analysis.timeline) == 1


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/etc/passwd", "is outside the folders of this server, which reads only: "),
        ("../secret.wav", "is outside the folders"),
        ("out.wav", "is outside the folders"),
        ("missing.wav", "It cannot be read: No such file or directory."),
        ("deep", "It cannot be read: Is a directory."),
        ("x" * 5_000, "It cannot be read: File name too long."),
        ("broken.mp3", "audio"),
    ],
)
def test_a_file_that_cannot_be_analyzed_is_explained(server, path, part):
    assert part in message(call(server, "analyze_file", path=path))


@pytest.mark.parametrize("tool", ["analyze_folder", "similar"])
def test_no_tool_reads_outside(server, tool, music, tiny_models, library):
    server = build(Recordings(settings(music, tiny_models, library=library)))
    for path in ("..", "/etc", "out.wav"):
        assert "outside the folders" in message(call(server, tool, path=path))


def test_a_server_without_a_library_says_how_to_get_one(server):
    assert "--library" in message(call(server, "similar", path="a.wav"))


def test_a_term_is_explained(server):
    result = call(server, "explain", term="valence")
    assert result.structured_content["figures"]
    assert "is not known here" in message(call(server, "explain", term="polka"))


@pytest.mark.slow
def test_a_folder_is_analyzed_in_parts_with_progress(server, music):
    steps = []

    async def progress(done, total, _message):
        steps.append((done, total))

    async def parts():
        async with Client(server) as client:
            start = 0
            while start is not None:
                part = await client.call_tool(
                    "analyze_folder",
                    {"path": ".", "start": start, "count": 3},
                    progress_callback=progress,
                )
                yield part.structured_content
                start = part.structured_content["next_start"]

    async def all_parts():
        return [part async for part in parts()]

    first, last = asyncio.run(all_parts())
    assert first["found"] == last["found"] == 4
    rows = {Path(row["path"]).name: row for row in first["recordings"] + last["recordings"]}
    assert set(rows) == {"a.wav", "b.mp3", "c.wav", "broken.mp3"}
    assert rows["broken.mp3"]["problem"]
    assert rows["a.wav"]["verdict"]
    assert first["left_out"] == {"text": 1, "links to files outside": 1}
    assert steps == [(1, 3), (2, 3), (3, 3), (1, 1)]


@pytest.mark.slow
def test_a_name_that_is_not_utf_8_is_escaped(tmp_path, tiny_models):
    for name in ("caf\udce9.wav", "broken \udcff.mp3"):
        groove = signals.wav(signals.groove(5, 22_050), 22_050)
        (tmp_path / name).write_bytes(groove if name.endswith("wav") else b"ID3 and no more")
    server = build(Recordings(settings(tmp_path, tiny_models)))
    rows = call(server, "analyze_folder", path=".").structured_content["recordings"]
    assert [Path(row["path"]).name for row in rows] == ["broken \\udcff.mp3", "caf\\udce9.wav"]
    assert rows[0]["problem"]
    assert rows[1]["verdict"]


@pytest.mark.slow
def test_one_call_analyzes_no_more_files_than_the_settings_allow(music, tiny_models):
    few = build(Recordings(settings(music, tiny_models, max_files=2)))
    part = call(few, "analyze_folder", path=".", count=1_000).structured_content
    assert len(part["recordings"]) == part["next_start"] == 2


@pytest.mark.slow
def test_the_variables_of_other_commands_do_not_make_it_write(monkeypatch, music, tiny_models):
    before = (music / "deep" / "b.mp3").read_bytes()
    monkeypatch.setenv("FIFTEEN_WRITE_TAGS", "replace")
    monkeypatch.setenv("FIFTEEN_OUTPUT", os.fspath(music / "made.jsonl"))
    server = build(Recordings(settings(music, tiny_models)))
    part = call(server, "analyze_folder", path="deep").structured_content
    assert part["recordings"][0]["verdict"]
    assert (music / "deep" / "b.mp3").read_bytes() == before
    assert not (music / "made.jsonl").exists()


@pytest.mark.slow
def test_the_same_sound_in_another_format_is_similar(music, tiny_models, library):
    server = build(Recordings(settings(music, tiny_models, library=library)))
    result = call(server, "similar", path="a.wav", count=1).structured_content
    ((found,),) = result.values()
    assert found["path"] == os.fspath(music / "deep" / "b.mp3")
    assert found["similarity"] > 0.99


def arguments(music, tiny_models, *more):
    options = ["--models", os.fspath(tiny_models), "--model", "tiny", "--jobs", "1"]
    return ["-m", "service", "mcp", os.fspath(music), *options, *more]


async def heard(client):
    """Return the tools of a server, and the verdicts of a file and of a folder."""
    tools = {tool.name for tool in (await client.list_tools()).tools}
    one = await client.call_tool("analyze_file", {"path": "a.wav"})
    part = await client.call_tool("analyze_folder", {"path": "deep"})
    (row,) = part.structured_content["recordings"]
    return tools, one.structured_content["verdict"], row["verdict"]


@pytest.mark.slow
def test_an_agent_starts_the_command_and_uses_it(music, tiny_models):
    environment = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    command = StdioServerParameters(
        command=sys.executable, args=arguments(music, tiny_models), cwd=ROOT, env=environment
    )

    async def using():
        async with Client(stdio_client(command)) as client:
            return await heard(client)

    tools, verdict, other = asyncio.run(using())
    assert tools == TOOLS
    assert verdict
    assert other


@pytest.mark.slow
def test_an_agent_reaches_the_command_over_http(music, tiny_models):
    port = free_port()
    command = arguments(music, tiny_models, "--http", str(port))
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT)
    try:
        wait_until_listening(process, port)

        async def using():
            async with Client(f"http://127.0.0.1:{port}/mcp") as client:
                return await heard(client)

        assert asyncio.run(using())[0] == TOOLS
    finally:
        process.terminate()
        status = process.wait(60)
    assert status == 0


def wait_until_listening(process, port):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None
        with socket.socket() as trial:
            if not trial.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.05)
    pytest.fail("The server did not start.")


def test_a_page_of_another_site_is_refused(server):
    app = server.streamable_http_app()
    body = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    with TestClient(app, base_url="http://127.0.0.1:8001") as client:
        accept = {"accept": "application/json, text/event-stream"}
        for headers in ({"origin": "https://example.org"}, {"host": "example.org"}):
            response = client.post("/mcp", content=json.dumps(body), headers=accept | headers)
            assert response.status_code in {400, 403, 421}, response.text


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ([], "There is no folder at /nowhere."),
        (["--http", "0"], "FIFTEEN_HTTP: "),
    ],
)
def test_a_wrong_command_is_reported_in_one_line(capsys, more, text):
    assert main(["mcp", "/nowhere", *more]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert text in line


def test_a_library_that_cannot_be_read_ends_the_start(capsys, music, tiny_models):
    assert main([*arguments(music, tiny_models, "--library", "/nowhere.jsonl")[2:]]) == 2
    assert "/nowhere.jsonl cannot be read" in capsys.readouterr().err


def test_the_command_without_its_extra_says_how_to_install_it(capsys, monkeypatch, music):
    monkeypatch.setitem(sys.modules, "mcp", None)
    assert main(["mcp", os.fspath(music)]) == 2
    assert "extra mcp" in capsys.readouterr().err
