"""The error of writing tags."""


class TagsError(RuntimeError):
    """Tags cannot be written into a file; it is unchanged. The message is for a person."""
