import asyncio
import contextlib

import pytest
from limits import parse

from service.settings import Settings
from service.web.auth import Authenticator, RateLimitedError, UnauthorizedError, digest_of, new_key
from tests.http import assert_problem, post, serving

KEYS = {"phone": digest_of("one"), "site": digest_of("two")}
WITH_KEY = {"authorization": "Bearer one"}


def test_keys_are_random_and_stored_as_digests():
    (first, digest), (second, _) = new_key(), new_key()
    assert first != second
    assert digest_of(first) == digest
    assert first not in digest


class TestAuthenticator:
    @pytest.mark.parametrize(("key", "owner"), [("one", "phone"), ("two", "site")])
    def test_a_key_has_an_owner(self, key, owner):
        assert Authenticator(KEYS, None, None).owner(key) == owner

    @pytest.mark.parametrize("key", [None, "", "three", "ONE", KEYS["phone"], "é\0"])
    def test_an_unknown_key_is_refused(self, key):
        with pytest.raises(UnauthorizedError, match="Bearer KEY"):
            Authenticator(KEYS, None, None).owner(key)

    @pytest.mark.parametrize("key", ["one", "two", "three", ""])
    def test_every_key_is_compared_whichever_is_sent(self, key):
        """The duration must not reveal which key matched, or whether one did."""
        compared = []

        class Keys(dict):
            def items(self):
                for owner, digest in super().items():
                    compared.append(owner)
                    yield owner, digest

        with contextlib.suppress(UnauthorizedError):
            Authenticator(Keys(KEYS), None, None).owner(key)
        assert compared == list(KEYS)

    @pytest.mark.parametrize("key", [None, "three"])
    def test_no_key_is_needed_if_none_is_set(self, key):
        assert Authenticator({}, None, None).owner(key) is None

    def test_each_owner_and_each_address_has_its_own_rate(self):
        async def scenario():
            authenticator = Authenticator(KEYS, parse("2/hour"), parse("1/hour"))
            for owner, address, most in (("phone", "a", 2), ("site", "a", 2), (None, "a", 1)):
                for _ in range(most):
                    await authenticator.count(owner, address)
                with pytest.raises(RateLimitedError, match="per 1 hour") as refusal:
                    await authenticator.count(owner, address)
                assert 1 <= refusal.value.retry_after <= 7_200
            await authenticator.count(None, "b")

        asyncio.run(scenario())

    def test_there_is_no_limit_unless_one_is_set(self):
        async def scenario():
            authenticator = Authenticator({}, None, None)
            for _ in range(100):
                await authenticator.count(None, "a", cost=100)

        asyncio.run(scenario())


@pytest.fixture(scope="module")
def locked():
    """A client of a service that requires a key."""
    with serving(Settings(api_keys=KEYS, rate_per_key="1000/minute")) as client:
        yield client


class TestOverHttp:
    @pytest.mark.parametrize(
        "path", ["/v1/models", "/v1/models/fifteen", "/v1/limits", "/metrics", "/v2/models/fifteen"]
    )
    def test_a_key_is_required(self, locked, path):
        response = locked.get(path)
        assert_problem(response, 401, "unauthorized")
        assert response.headers["www-authenticate"] == "Bearer"
        assert locked.get(path, headers=WITH_KEY).status_code == 200
        assert locked.get(path, headers={"authorization": "Basic one"}).status_code == 401

    def test_an_upload_without_a_key_is_not_read(self, locked, clips):
        assert_problem(post(locked, clips["mp3"]), 401, "unauthorized")
        assert_problem(locked.post("/v1/analyze/batch"), 401, "unauthorized")
        files = {"file": clips["mp3"]}
        assert locked.post("/v1/analyze", files=files, headers=WITH_KEY).status_code == 200

    @pytest.mark.parametrize(
        "path", ["/healthz", "/readyz", "/v2/health/live", "/v2/health/ready", "/docs"]
    )
    def test_probes_and_the_page_are_open(self, locked, path):
        assert locked.get(path).status_code == 200

    def test_a_rate_limited_client_gets_retry_after(self, clips):
        with serving(Settings(rate_per_address="3/hour")) as client:
            assert client.get("/v1/limits").status_code == 200
            many = [("files", clip) for clip in (b"x", b"y", b"z")]
            response = client.post("/v1/analyze/batch", files=many)  # one more than are left
            assert_problem(response, 429, "rate-limited")
            assert int(response.headers["retry-after"]) > 1
            assert client.post("/v1/analyze/batch", files=many[:1]).status_code == 200
            assert_problem(client.get("/v1/limits"), 429, "rate-limited")
            assert client.get("/readyz").status_code == 200
