"""What can go wrong when one asks an API server."""

import json


class ApiError(RuntimeError):
    """An answer that is not a success: its `status` code, the server's `reason` and `fields`."""

    def __init__(self, request: str, status: int, text: str) -> None:
        try:
            body = json.loads(text)
        except ValueError:
            body = {}
        self.status = status
        self.reason = str(body.get("reason", ""))
        details = body.get("details") or {}
        self.fields = [str(one.get("field", "")) for one in details.get("causes") or ()]
        super().__init__(f"{request}: {status} {body.get('message', text)}")
