"""Who may ask, and how often.

Keys are kept as SHA-256 digests: they are drawn at random by ``python -m service key``, so that a
slow hash would add nothing. Each process counts rates for itself.
"""

import hashlib
import hmac
import math
import secrets
import time
from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from limits import RateLimitItem
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from service.web.admission import RetryLaterError

KEY_BYTES = 32


class UnauthorizedError(RuntimeError):
    """The service wants a key, and the request has none that it knows."""


class RateLimitedError(RetryLaterError):
    """The sender asks more often than it may."""


def new_key() -> tuple[str, str]:
    """Draw a key; return it and what the settings hold of it."""
    key = secrets.token_urlsafe(KEY_BYTES)
    return key, digest_of(key)


def digest_of(key: str) -> str:
    """Return what the settings hold of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


class Gate:
    """Tells who asks, and refuses who may not, or not so often.

    Parameters
    ----------
    keys : mapping of str to str
        Digest of each key by its owner's name; nobody needs one where there is none.
    per_key, per_address : RateLimitItem or None
        How often the owner of a key may ask, and an address without one.
    """

    def __init__(
        self,
        keys: Mapping[str, str],
        per_key: RateLimitItem | None,
        per_address: RateLimitItem | None,
    ) -> None:
        self._keys = keys
        self._per_key, self._per_address = per_key, per_address
        self._rates = SlidingWindowCounterRateLimiter(MemoryStorage())

    def owner(self, key: str | None) -> str | None:
        """Return the owner of a key, or None where nobody needs one.

        Raises
        ------
        UnauthorizedError
            If a key is needed, and it is none or another.
        """
        if not self._keys:
            return None
        digest = digest_of(key or "")
        # Every digest is compared, so that the time it takes tells nothing.
        owners = [name for name, kept in self._keys.items() if hmac.compare_digest(digest, kept)]
        if not owners:
            raise UnauthorizedError(
                "Send a key that this service knows, as Authorization: Bearer KEY."
            )
        return owners[0]

    async def count(self, owner: str | None, address: str, cost: int = 1) -> None:
        """Count what a sender asks; raises `RateLimitedError` if it is too much."""
        item = self._per_address if owner is None else self._per_key
        who = ("address", address) if owner is None else ("key", owner)
        if item is None or await self._rates.hit(item, *who, cost=cost):
            return
        window = await self._rates.get_window_stats(item, *who)
        retry_after = max(1, math.ceil(window.reset_time - time.time()))
        raise RateLimitedError(f"You may ask {item}; ask again in {retry_after} s.", retry_after)


class Visitor:
    """The sender of a request, who may ask.

    Parameters
    ----------
    gate : Gate
    owner : str or None
        Of the key that came with the request.
    address : str
    """

    def __init__(self, gate: Gate, owner: str | None, address: str) -> None:
        self._gate, self._owner, self._address = gate, owner, address

    async def count(self, cost: int) -> None:
        """Count that the request asks so much more; raises `RateLimitedError`."""
        if cost:
            await self._gate.count(self._owner, self._address, cost)


_BEARER = HTTPBearer(auto_error=False, description="A key, where the operator wants one.")


async def let_in(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
) -> Visitor:
    """Refuse a request whose sender may not ask, or not so often."""
    gate: Gate = request.app.state.gate
    owner = gate.owner(credentials.credentials if credentials else None)
    request.state.seen["key"] = owner
    visitor = Visitor(gate, owner, request.client.host if request.client else "")
    await visitor.count(1)
    return visitor


VisitorDep = Annotated[Visitor, Depends(let_in)]
