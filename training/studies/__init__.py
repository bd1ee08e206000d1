"""Answers to research questions. Only the command line imports them."""
