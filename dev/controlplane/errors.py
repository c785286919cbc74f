"""What can go wrong when one asks an API server."""

import json


class ApiError(RuntimeError):
    """An answer that is not a success, with its `status` code and the server's `reason`."""

    def __init__(self, request: str, status: int, text: str) -> None:
        try:
            body = json.loads(text)
        except ValueError:
            body = {}
        self.status = status
        self.reason = str(body.get("reason", ""))
        super().__init__(f"{request}: {status} {body.get('message', text)}")
