"""What goes wrong with the tags of a file."""


class TagsError(RuntimeError):
    """Tags cannot be written into a file, which is as it was. The message is for a person."""
