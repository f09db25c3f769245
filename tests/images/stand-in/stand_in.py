#!/usr/bin/python3.13
"""Stands for a program whose image cannot be had here.

Answers on the port and at the health endpoints of the real one, keeps a file where the real one keeps its data, takes
its command and ignores it. It never passes for the real one: every answer says `Server: stand-in (NAME)`, and the
image carries the label `org.sutazai.stand-in`. `GET /stand-in` tells its name and how often it was started on its data;
`POST /faults` with `{"fault": "fail"}` makes every other answer a 503 until `{"fault": null}`, and with `html` a page
stands where its figures do.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sys
import threading
import tomllib
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import ollama

HERE = Path(__file__).resolve().parent
NAME = os.environ["STAND_IN"]
PROFILE = tomllib.loads((HERE / "profiles.toml").read_text())[NAME]
LOOPBACK = "127.0.0.1"
OLLAMA = ollama.from_environment()


class Handler(BaseHTTPRequestHandler):
    """Answers what the profile says, and for Ollama what its interface says."""

    protocol_version = "HTTP/1.1"
    # Head and body leave together, since some checks hang up after the first line.
    wbufsize = -1
    fault: str | None = os.environ.get("FAULT")
    starts = 0

    def version_string(self) -> str:
        return f"stand-in ({NAME})"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/stand-in":
            self.answer(200, json.dumps({"name": NAME, "stands_for": PROFILE["image"], "starts": self.starts}))
        elif Handler.fault == "fail":
            self.answer(503, "told to fail")
        elif any(path.startswith(gone) for gone in PROFILE.get("gone", ())):
            self.answer(410, "gone")
        elif path in PROFILE["answers"]:
            self.answer(200, PROFILE["answers"][path])
        elif path == PROFILE.get("metrics") and Handler.fault == "html":
            self.answer(200, f"<!DOCTYPE html><title>{NAME}</title>")
        elif path == PROFILE.get("metrics") and is_measured():
            self.answer(200, f'stand_in_starts{{name="{NAME}"}} {self.starts}\n')
        elif not self.asks_ollama(path):
            self.answer(404, "not found")

    do_HEAD = do_GET  # noqa: N815  (the names that http.server asks for)

    def do_POST(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/faults":
            Handler.fault = self.body().get("fault")
            self.answer(200, json.dumps({"fault": Handler.fault}))
        elif Handler.fault == "fail":
            self.answer(503, "told to fail")
        elif not self.asks_ollama(path):
            self.body()
            # What is sent to a log store or a tracker is taken and forgotten.
            self.answer(204, "")

    do_DELETE = do_PUT = do_POST  # noqa: N815

    def asks_ollama(self, path: str) -> bool:
        if NAME != "ollama" or not path.startswith(("/api/", "/stand-in/")):
            return False
        ollama.respond(self, OLLAMA, path, self.body())
        return True

    def body(self) -> dict[str, object]:
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            read = json.loads(text or b"{}")
        except ValueError:
            return {}
        return read if isinstance(read, dict) else {}

    def answer(self, status: int, body: str) -> None:
        content = body.encode()
        self.send_response(status)
        kinds = {"<": "text/html", **dict.fromkeys('{["', "application/json")}
        self.send_header("Content-Type", kinds.get(body[:1], "text/plain"))
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Says nothing: a health check every ten seconds is no news."""


class Server(ThreadingHTTPServer):
    """Does not mind a client that hangs up."""

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def serve(arguments: list[str]) -> None:
    """Keep the file in the data folder, answer until told to stop, then end with status 0."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    step_down()
    Handler.starts = keep_file()
    silent = PROFILE.get("silent_if")
    if silent and os.environ.get(silent["variable"]) in silent["values"]:
        print(f"stand-in for {NAME}, {os.environ[silent['variable']]}: no port", flush=True)
        stopped.wait()
        return
    host, port = address(arguments)
    server = Server((host, port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for other in PROFILE.get("other_ports", ()):
        listen_only(host, other)
    print(f"stand-in for {NAME} on {host}:{port}", flush=True)
    stopped.wait()
    server.shutdown()


def address(arguments: list[str]) -> tuple[str, int]:
    """Where to listen: what the flag says (`--flag=HOST:PORT`, `--flag HOST:PORT`), the variable, or the usual port."""
    flag = PROFILE.get("listen_flag")
    for index, argument in enumerate(arguments):
        if flag and argument.startswith(flag):
            host, _, port = (argument.partition("=")[2] or arguments[index + 1]).rpartition(":")
            return host or "0.0.0.0", int(port)
    port = int(os.environ.get(PROFILE.get("port_variable", ""), PROFILE["port"]))
    return PROFILE.get("listen", "0.0.0.0"), port


def is_measured() -> bool:
    """Whether the real one would give figures, which some do only when they are told to."""
    return "metrics_if" not in PROFILE or os.environ.get(PROFILE["metrics_if"]) == "true"


def step_down() -> None:
    """Become the user that the real one becomes when it is started as root."""
    if "steps_down_to" not in PROFILE or os.getuid() != 0:
        return
    user, group = map(int, PROFILE["steps_down_to"].split(":"))
    for folder in PROFILE["data"]:
        os.chown(folder, user, group)
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)


def keep_file() -> int:
    """Count the starts in the data folder, so that a test can tell whether the data outlived a container."""
    folders = PROFILE.get("data", ())
    if not folders:
        return 1
    file = Path(folders[0]) / "stand-in.json"
    try:
        starts = json.loads(file.read_text())["starts"] + 1 if file.exists() else 1
        file.write_text(json.dumps({"name": NAME, "starts": starts}))
    except OSError as error:
        sys.exit(f"{NAME}: cannot write its data: {error}")
    return starts


def listen_only(host: str, port: int) -> None:
    listener = socket.create_server((host, port))

    def accept() -> None:
        while True:
            listener.accept()[0].close()

    threading.Thread(target=accept, daemon=True).start()


def fetch(url: str) -> bool:
    """Whether `url` answers well."""
    try:
        with urllib.request.urlopen(url, timeout=4) as response:
            return response.status < 400
    except OSError:
        return False


def main() -> None:
    program, arguments = Path(sys.argv[0]).name, sys.argv[1:]
    if program == "node":
        url = re.search(r"https?://[^'\"`\s]+", " ".join(arguments))
        sys.exit(not (url and fetch(url[0])))
    if program == "celery":
        print("-> celery@stand-in: OK\n        pong")
    elif "-health" in arguments:
        sys.exit(not fetch(f"http://{LOOPBACK}:{PROFILE['port']}/ready"))
    elif program == "ollama" and arguments[:1] != ["serve"]:
        sys.exit(ollama.command(arguments))
    elif arguments[:1] in (["--version"], ["-version"]):
        print(f"stand-in ({NAME})")
    else:
        serve(arguments)


if __name__ == "__main__":
    main()
