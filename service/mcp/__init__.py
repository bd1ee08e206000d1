"""The Model Context Protocol: an agent analyses recordings, in folders that a person names.

``python -m service mcp FOLDER...`` serves it, over standard input and output or over HTTP.
"""
