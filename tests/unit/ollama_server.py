"""A server that answers as Ollama does, for tests."""

from __future__ import annotations

import json


class Ollama:
    """Answers as Ollama does, and remembers what it was asked to work at."""

    def __init__(self, loaded: dict[str, str], there: tuple[str, ...] = ("tiny", "large")) -> None:
        self.loaded, self.there, self.status = loaded, there, 200
        self.asked: list[dict] = []

    def __call__(self, connection, over) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            request += connection.recv(65536)
        head, _, body = request.partition(b"\r\n\r\n")
        path = head.split()[1].decode()
        if path == "/api/ps":
            answer = {"models": [{"name": name, "expires_at": until} for name, until in self.loaded.items()]}
        elif path == "/api/tags":
            answer = {"models": [{"name": name} for name in self.there]}
        else:
            length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Le"))
            while len(body) < length:
                body += connection.recv(65536)
            asked = json.loads(body)
            self.asked.append({"path": path, **asked})
            if path == "/api/generate" and asked["model"] == "vectors":
                return send(connection, 400, {"error": '"vectors" does not support generate'})
            return send(connection, self.status, {"response": "yes"})
        return send(connection, 200, answer)


def send(connection, status: int, content: object) -> None:
    body = json.dumps(content).encode()
    connection.sendall(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)
