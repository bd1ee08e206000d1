"""``python -m tools.benchmarks.with_asyncio``: the service on Python's own event loop."""

import sys

from service import __main__ as service

if __name__ == "__main__":
    service.LOOP = "asyncio"
    sys.exit(service.main())
