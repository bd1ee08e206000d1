"""``python -m tests.benchmarks.with_uvloop``: the service on another event loop."""

import asyncio
import sys

import uvloop

from service.__main__ import main

if __name__ == "__main__":
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    sys.exit(main())
