"""Ports that several control planes at once do not take from each other."""

import socket

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A port that is free and stays so until its server binds it.

    A connection opened and closed leaves the port in TIME_WAIT: for a minute the kernel hands it to
    nobody who asks for any port, while a server that asks for this very one gets it.
    """
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((LOOPBACK, 0))
        server.listen(1)
        port: int = server.getsockname()[1]
        with socket.create_connection((LOOPBACK, port)):
            accepted, _ = server.accept()
            accepted.close()
    return port
