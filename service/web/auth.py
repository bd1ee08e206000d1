"""Authentication by API key, and rate limits.

The settings hold SHA-256 digests of the keys. ``python -m service key`` draws keys at random, so
that a slow hash would add nothing. Each process counts rates by itself.
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
from starlette.requests import HTTPConnection

from service.web.admission import RetryLaterError

KEY_BYTES = 32


class UnauthorizedError(RuntimeError):
    """The service needs a key, and the request has no valid one."""


class RateLimitedError(RetryLaterError):
    """The caller exceeded its rate limit."""


def new_key() -> tuple[str, str]:
    """Draw a key; return it and its digest for the settings."""
    key = secrets.token_urlsafe(KEY_BYTES)
    return key, digest_of(key)


def digest_of(key: str) -> str:
    """Return the digest of a key, as the settings hold it."""
    return hashlib.sha256(key.encode()).hexdigest()


class Authenticator:
    """Checks keys and counts requests.

    Parameters
    ----------
    keys : mapping of str to str
        Digest of each key by its owner's name. If it is empty, no key is needed.
    per_key, per_address : RateLimitItem or None
        Rate limit for the owner of a key, and for an address without a key.
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
        """Return the owner of a key, or None if no key is needed.

        Raises
        ------
        UnauthorizedError
            If a key is needed, and this one is missing or unknown.
        """
        if not self._keys:
            return None
        digest = digest_of(key or "")
        # Compare every digest, in constant time, so that the duration reveals nothing.
        owners = [name for name, known in self._keys.items() if hmac.compare_digest(digest, known)]
        if not owners:
            raise UnauthorizedError(
                "Send a key that this service knows, as Authorization: Bearer KEY."
            )
        return owners[0]

    async def count(self, owner: str | None, address: str, cost: int = 1) -> None:
        """Count a request; raises `RateLimitedError` if the caller exceeds its rate limit."""
        item = self._per_address if owner is None else self._per_key
        caller = ("address", address) if owner is None else ("key", owner)
        if item is None or await self._rates.hit(item, *caller, cost=cost):
            return
        window = await self._rates.get_window_stats(item, *caller)
        retry_after = max(1, math.ceil(window.reset_time - time.time()))
        raise RateLimitedError(
            f"The rate limit is {item}; try again in {retry_after} s.", retry_after
        )


class Caller:
    """The authenticated sender of a request.

    Parameters
    ----------
    authenticator : Authenticator
    owner : str or None
        Owner of the request's key.
    address : str
    """

    def __init__(self, authenticator: Authenticator, owner: str | None, address: str) -> None:
        self._authenticator, self.owner, self._address = authenticator, owner, address

    async def count(self, cost: int) -> None:
        """Count the request `cost` times; raises `RateLimitedError`."""
        if cost:
            await self._authenticator.count(self.owner, self._address, cost)


async def identify(connection: HTTPConnection, key: str | None) -> Caller:
    """Return the sender of a request, and count it; raises as `authenticate`."""
    authenticator: Authenticator = connection.app.state.authenticator
    owner = authenticator.owner(key)
    connection.state.seen["key"] = owner
    client = connection.client
    caller = Caller(authenticator, owner, client.host if client else "")
    await caller.count(1)
    return caller


_BEARER = HTTPBearer(auto_error=False, description="A key, if the operator set keys.")


async def authenticate(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
) -> Caller:
    """Refuse a request without a valid key, or beyond the rate limit."""
    return await identify(request, credentials.credentials if credentials else None)


CallerDep = Annotated[Caller, Depends(authenticate)]
