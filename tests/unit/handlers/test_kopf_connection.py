"""How Kopf reaches the server: when it is there, and with credentials that were not refused yet."""

import kopf
import pytest

from clusteraudit.handlers import arrangement
from clusteraudit.handlers.arrangement import Arrangement
from support.apiserver import says, serving
from support.credentials import Credentials


def ignore(*_: object) -> None:
    pass


async def test_it_asks_once_the_server_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrangement, "_GLANCE", 0.01)
    answers = [False, False, True]
    async with serving() as server:

        async def there() -> bool:
            assert not server.asked
            return answers.pop(0)

        server.on("/api", says({}))
        arranged = Arrangement(Credentials(server.url), ignore, ignore, there=there)
        login = await arranged._login()
        async with login.aiohttp_session as client:
            assert (await client.get(f"{login.server}/api")).status == 200
    assert not answers


async def test_credentials_that_were_refused_are_not_tried_again() -> None:
    arranged = Arrangement(credentials := Credentials("http://127.0.0.1:1"), ignore, ignore)
    logins = [await arranged._login() for _ in range(2)]
    shown = [one.aiohttp_session.headers["Authorization"] for one in logins]
    assert shown == ["Bearer 1", "Bearer 2"]
    credentials.renewed -= 1  # what is read anew is what there was
    with pytest.raises(kopf.PermanentError):
        await arranged._login()
    for one in logins:
        await one.aiohttp_session.close()


async def test_a_client_that_is_closed_while_it_waits_says_so() -> None:
    """In the words of aiohttp, by which Kopf knows that it needs another one."""

    async def there() -> bool:
        await login.aiohttp_session.close()
        return True

    arranged = Arrangement(Credentials("http://127.0.0.1:1"), ignore, ignore, there=there)
    login = await arranged._login()
    with pytest.raises(RuntimeError, match="Session is closed"):
        await login.aiohttp_session.get(login.server)
