"""A plugin of AudioMuse-AI that asks a Fifteen service about each song that is analysed.

It stores genre and mood in a table of its own, and makes a playlist of each. The embeddings and
moods of AudioMuse-AI stay as they are. It needs no package that AudioMuse-AI does not have.
"""

import json
from html import escape
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from flask import Blueprint, redirect, request
from plugin.api import (
    active_server_id,
    get_db,
    get_setting,
    logger,
    manage_plugins_url,
    render_page,
    set_setting,
    table,
)

TIMEOUT = 60  # seconds
SETTINGS = {
    "url": ("Address of the Fifteen service", "http://127.0.0.1:8000"),
    "key": ("Its key, if it asks for one", ""),
}
FEWEST = 5  # songs of a playlist

page = Blueprint("fifteen", __name__)


def register(ctx):
    """Tell AudioMuse-AI what this plugin adds."""
    ctx.add_blueprint(page)
    ctx.add_menu_item("Fifteen", "fifteen.home")
    ctx.on_install(create_table)
    ctx.on_song_analyzed(analyzed)
    ctx.add_cron_task("playlists", playlists)


def create_table(db):
    """Create the table of answers, if it is not there."""
    db.cursor().execute(
        f"CREATE TABLE IF NOT EXISTS {table('songs')} (server_id TEXT, item_id TEXT,"
        " verdict TEXT, genre TEXT, mood TEXT, answer TEXT, PRIMARY KEY (server_id, item_id))"
    )
    db.commit()


def analyzed(song):
    """Ask about a song and store the answer; AudioMuse-AI logs what is raised and goes on."""
    answer = ask(Path(song["audio_path"]).read_bytes())
    mood = answer["mood"] if answer["verdict"] in {"confident", "mixed", "unknown_genre"} else None
    genre = answer["genre"] if answer["verdict"] == "confident" else None
    values = (answer["verdict"], genre, mood, json.dumps(answer))
    db = get_db()
    db.cursor().execute(
        f"INSERT INTO {table('songs')} VALUES (%s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (server_id, item_id) DO UPDATE SET verdict = EXCLUDED.verdict,"
        " genre = EXCLUDED.genre, mood = EXCLUDED.mood, answer = EXCLUDED.answer",
        (song.get("server_id") or "", song["item_id"], *values),
    )
    db.commit()


def ask(recording):
    """Return the answer of the service about a recording.

    Raises
    ------
    RuntimeError
        If it refuses the recording. The message says why.
    OSError
        If it cannot be reached.
    """
    headers = {"Content-Type": "application/octet-stream"}
    if key := get_setting("key", ""):
        headers["Authorization"] = f"Bearer {key}"
    url = get_setting("url", SETTINGS["url"][1]).rstrip("/")
    wanted = Request(f"{url}/v1/analyze", data=recording, headers=headers)
    try:
        with urlopen(wanted, timeout=TIMEOUT) as response:
            return json.load(response)
    except HTTPError as error:
        raise RuntimeError(f"Fifteen: {json.load(error)['detail']}") from error


def playlists():
    """Make a playlist of each genre and each mood, on the media server of this run."""
    from tasks.mediaserver import create_or_replace_playlist, registry  # noqa: PLC0415 - worker's

    server = active_server_id() or registry.get_default_server_id() or ""
    rows = fetch(
        f"SELECT item_id, genre, mood FROM {table('songs')} WHERE server_id = %s ORDER BY item_id",
        (server,),
    )
    catalogue = registry.reverse_translate_ids([item for item, *_ in rows], server or None)
    found = {}
    for item, *names in rows:
        for name in filter(None, names):
            found.setdefault(name, []).append(catalogue.get(item, item))
    for name, items in found.items():
        if len(items) >= FEWEST:
            create_or_replace_playlist(f"Fifteen: {name}", items)
            logger.info("Fifteen: %s has %d songs", name, len(items))


def fetch(query, values=()):
    """Return the rows of a query."""
    cursor = get_db().cursor()
    cursor.execute(query, values)
    rows = cursor.fetchall()
    cursor.close()
    return rows


@page.route("/")
def home():
    """Show how many songs each verdict, genre and mood has."""
    rows = fetch(
        f"SELECT verdict, genre, mood, COUNT(*) FROM {table('songs')}"
        " GROUP BY verdict, genre, mood ORDER BY COUNT(*) DESC"
    )
    cells = [[escape(str("" if value is None else value)) for value in row] for row in rows]
    lines = "".join(f"<tr><td>{'</td><td>'.join(row)}</td></tr>" for row in cells)
    head = "<tr><th>verdict</th><th>genre</th><th>mood</th><th>songs</th></tr>"
    return render_page(f"<table>{head}{lines}</table>", title="Fifteen")


@page.route("/settings", methods=["GET", "POST"])
def settings():
    """Show the settings, or save them."""
    if request.method == "POST":
        for name in SETTINGS:
            set_setting(name, request.form.get(name, "").strip())
        return redirect(manage_plugins_url())
    fields = "".join(
        f'<p><label>{label} <input name="{name}" value="{escape(get_setting(name, default))}">'
        "</label></p>"
        for name, (label, default) in SETTINGS.items()
    )
    body = f'<form method="post">{fields}<button type="submit">Save</button></form>'
    return render_page(body, title="Fifteen: settings")
