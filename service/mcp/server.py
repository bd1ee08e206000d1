"""The server: offers the recordings to an agent as tools of the protocol."""

import logging
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Annotated, ParamSpec, TypeVar

from anyio import CancelScope, CapacityLimiter, to_thread
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import Field

from service import audio
from service.analysis import warm_up
from service.library.find import MissingPathError
from service.library.records import Record
from service.library.search import LibraryError, NoLibraryError
from service.mcp.folders import OutsideError
from service.mcp.meanings import Meaning, UnknownTermError, explain
from service.mcp.recordings import Chosen, Neighbour, Part, Recordings
from service.model import NoEmbeddingError
from service.schemas import Analysis
from service.settings import McpSettings

HOST = "127.0.0.1"  # it asks for no key, so only this machine may reach it
READS = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
MISTAKES = (
    audio.AudioError, LibraryError, MissingPathError, NoEmbeddingError, NoLibraryError,
    OutsideError, UnknownTermError,
)  # fmt: skip
"""Errors whose message helps the agent."""

P = ParamSpec("P")
T = TypeVar("T")

File = Annotated[str, Field(description="Path of a recording in one of the server's folders.")]


def run(settings: McpSettings) -> int:
    """Serve until the agent closes standard input, or a signal stops the process.

    Raises
    ------
    As `service.mcp.recordings.Recordings`; `service.analysis.ProbeError` if the installation is
    broken.
    """
    recordings = Recordings(settings)
    warm_up([recordings.model])
    server = build(recordings)
    if settings.http is None:
        server.run("stdio")
    else:
        server.run("streamable-http", host=HOST, port=settings.http)
    return 0


def build(recordings: Recordings) -> MCPServer:
    """Return a server of the protocol with the tools, for any transport."""
    roots = ", ".join(map(str, recordings.folders.roots))
    server = MCPServer(
        "fifteen",
        title="Fifteen",
        version=version("fifteen"),
        instructions="Genre (one of "
        f"{', '.join(recordings.taxonomy.rename(recordings.model.card.genres))}), mood, valence, "
        "energy, danceability, tempo and key of recordings. Read the verdict of an answer first: "
        f"it tells how far to trust the rest. Only these folders can be read: {roots}.",
        log_level="WARNING",
    )
    logging.getLogger("mcp").setLevel(logging.WARNING)
    _add_tools(server, recordings, CapacityLimiter(recordings.settings.jobs))
    return server


def _add_tools(server: MCPServer, recordings: Recordings, limiter: CapacityLimiter) -> None:
    """Add the tools; as many analyses as the limiter has tokens run at the same time."""

    @server.tool(annotations=READS)
    async def analyze_file(
        path: File,
        timeline: Annotated[bool, Field(description="Whether to add each 15 s.")] = False,  # noqa: FBT002
    ) -> Analysis:
        """Say genre, mood, valence, energy, danceability, tempo and key of a recording."""
        return await _in_thread(limiter, partial(recordings.analyze, timeline=timeline), path)

    @server.tool(annotations=READS)
    async def analyze_folder(
        context: Context,
        path: Annotated[str, Field(description="A folder in one of the server's folders.")],
        start: Annotated[int, Field(ge=0, description="Where to go on, `next_start`.")] = 0,
        count: Annotated[int, Field(ge=1, description="Files to analyse in this call.")] = 20,
    ) -> Part:
        """Analyse the recordings of a folder and of its subfolders, a part in each call."""
        chosen = await _in_thread(limiter, recordings.choose, path, start, count)
        return await _analyze_part(recordings, chosen, limiter, context)

    @server.tool(annotations=READS)
    async def similar(
        path: File,
        count: Annotated[int, Field(ge=1, le=1000, description="Recordings to list.")] = 10,
    ) -> list[Neighbour]:
        """List the recordings of the library that sound most like a recording."""
        return await _in_thread(limiter, recordings.similar, path, count)

    @server.tool(name="explain", annotations=READS)
    def explain_term(
        term: Annotated[
            str,
            Field(description="A genre, a verdict, a member of an answer such as valence, or "
                  "limits."),
        ],
    ) -> Meaning:  # fmt: skip
        """Say what a genre, a verdict or a score means, and how right the model is about it."""
        try:
            return explain(term, recordings.model.card, recordings.taxonomy)
        except UnknownTermError as error:
            raise ToolError(str(error)) from error


async def _analyze_part(
    recordings: Recordings, chosen: Chosen, limiter: CapacityLimiter, context: Context
) -> Part:
    """Analyse a part of a folder, and report the progress."""
    records = recordings.records(chosen)
    found: list[Record] = []
    try:
        while record := await _in_thread(limiter, next, records, None):
            found.append(record)
            await context.report_progress(len(found), len(chosen.paths))
    finally:
        with CancelScope(shield=True):  # its processes end, also if the agent cancels the call
            await to_thread.run_sync(records.close)
    return chosen.part(found)


async def _in_thread(
    limiter: CapacityLimiter, function: Callable[P, T], *arguments: P.args, **named: P.kwargs
) -> T:
    """Call a function in a thread. The agent gets the message of an error that it can mend."""
    try:
        return await to_thread.run_sync(partial(function, *arguments, **named), limiter=limiter)
    except MISTAKES as error:
        raise ToolError(str(error)) from error
    except OSError as error:
        raise ToolError(f"It cannot be read: {error.strerror or error}.") from error
