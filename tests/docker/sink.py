"""A receiver of alerts on a network of the platform: takes whatever is posted to it, and remembers it."""

from __future__ import annotations

import json
from typing import Any

import docker

SCRIPT = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        print(self.path, body.decode(), flush=True)
        self.send_response(200 if self.path != "/refuses" else 500)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
"""


class Sink:
    """A container called `sink` that listens at port 8080; it goes with `remove`."""

    def __init__(self, client: docker.DockerClient, image: str, network: str) -> None:
        self.container = client.containers.run(
            image, ["-c", SCRIPT], entrypoint=["python3"], detach=True, init=True, hostname="sink",
            network=network, networking_config={network: client.api.create_endpoint_config(aliases=["sink"])},
        )  # fmt: skip

    def messages(self, path: str) -> list[dict[str, Any]]:
        """What was posted to a path, in the order in which it came."""
        # What is being written just now has no end yet.
        lines = self.container.logs().decode().rpartition("\n")[0].splitlines()
        return [json.loads(body) for asked, _, body in (line.partition(" ") for line in lines) if asked == path]

    def alerts(self, path: str) -> list[tuple[str, str, str]]:
        """Each alert that was told there: its name, its service and whether it fires or is resolved."""
        return [
            (alert["labels"]["alertname"], alert["labels"].get("service", ""), alert["status"])
            for message in self.messages(path)
            for alert in message["alerts"]
        ]

    def remove(self) -> None:
        """Stop it."""
        self.container.remove(force=True, v=True)
