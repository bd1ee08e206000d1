"""The command that counts, exports and deletes what senders said of answers."""

import json
import sys
from dataclasses import asdict

from service.feedback import FeedbackError, StoreError, open_store
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
    """
    store = open_store(settings.feedback)
    try:
        if settings.action == "count":
            sys.stdout.write(f"{store.count()}\n")
        elif settings.action == "export":
            for entry in store.entries():
                sys.stdout.write(json.dumps(asdict(entry), ensure_ascii=False) + "\n")
        else:
            chosen = (None, None) if settings.everything else (settings.id, settings.sender)
            sys.stdout.write(f"{store.delete_some(*chosen)} deleted\n")
    except StoreError as error:
        raise FeedbackError(f"{settings.feedback}: {error.__cause__ or error}") from error
    return 0
