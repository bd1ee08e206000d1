"""Writes genre and mood into the tags of a file, where any player finds them, and loses nothing.

mutagen writes them; it is an extra, under the GPL, and imported only when tags are asked for. It
writes in place, and some files do not survive that. So it writes into a copy beside the file, the
copy is proved to hold the same sound and all else that the file holds, and only then takes the
file's place, at once. A file of which that cannot be proved stays as it is, to the byte.
"""

from service.library.tags.errors import TagsError
from service.library.tags.write import tags_of, write_tags

__all__ = ["TagsError", "tags_of", "write_tags"]
