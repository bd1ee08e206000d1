"""The HTTP side: who may come in, what is asked, and how answers and refusals look."""
