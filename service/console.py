"""The command `fifteen` of the installed package: the same as ``python -m service``."""

import runpy


def main() -> None:
    """Run the command line; ends the process with its exit status.

    The commands run as the module `service`, as with ``python -m``. The processes that they start
    then know that they must not import the command line again, with the whole server.
    """
    runpy.run_module("service", {"PROGRAM": "fifteen"}, run_name="__main__", alter_sys=True)
