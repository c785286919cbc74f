"""The faulty proxy ends connections, whatever became of them."""

import asyncio

from controlplane.proxy import _reset


class Closed(asyncio.Transport):
    """Of TLS and closed twice."""

    def get_extra_info(self, name: str, default: object = None) -> object:
        raise AttributeError("'NoneType' object has no attribute '_get_extra_info'")


def test_a_connection_that_is_gone_needs_no_reset() -> None:
    _reset(Closed())
