"""Writes genre and mood into the tags of a file, where any player finds them, and loses nothing.

mutagen writes the tags; it is an optional extra under the GPL, and is imported only if tags are
requested. mutagen writes in place, which damages some files. So it writes into a copy beside the
file. The copy replaces the file atomically, and only after a check that it holds the same sound and
everything else in the file. If the check fails, the file stays unchanged, to the byte.
"""

from service.library.tags.errors import TagsError
from service.library.tags.write import tags_of, write_tags

__all__ = ["TagsError", "tags_of", "write_tags"]
