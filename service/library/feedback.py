"""The command that counts, exports and deletes what senders said of answers."""

import json
from dataclasses import asdict

from service.feedback import FeedbackError, StoreError, open_store
from service.library.printing import escape_the_rest, write
from service.settings import FeedbackSettings


def run(settings: FeedbackSettings) -> int:
    """Do what the settings say with the store.

    Returns
    -------
    status : int
        0, the exit status of the process.

    Raises
    ------
    FeedbackError
        If the file cannot be used.
    OutputError
        If standard output cannot be written.
    """
    escape_the_rest("utf-8")
    store = open_store(settings.feedback)
    try:
        if settings.action == "count":
            write(f"{store.count()}\n")
        elif settings.action == "export":
            for entry in store.entries():
                write(json.dumps(asdict(entry), ensure_ascii=False) + "\n")
        else:
            chosen = (None, None) if settings.everything else (settings.id, settings.sender)
            write(f"{store.delete_some(*chosen)} deleted\n")
    except StoreError as error:
        raise FeedbackError(f"{settings.feedback}: {error.__cause__ or error}") from error
    return 0
