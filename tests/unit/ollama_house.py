"""The stand-in for Ollama of `tests/images/stand-in`, served on loopback, and an installation that has it."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ollama import Ollama, respond
from probe_servers import Somewhere

from sutazai_ops.errors import Unsupported
from sutazai_ops.installation import Installation
from sutazai_ops.models.fleet import Fleet
from sutazai_ops.settings import Loaded, Settings

MANIFEST = """\
llama3.2:3b:
  purpose: chat
  size: 2.1GB
  keep_alive: forever
  used_by: [backend]
  warm: true
nomic-embed-text:
  purpose: embedding
  size: 280MB
  keep_alive: 1h
  warm: true
  dimension: 768
"""
CORE = """\
services:
  ollama:
    image: ollama/ollama:0.32.15
    environment: {{OLLAMA_MAX_LOADED_MODELS: "{loaded}", OLLAMA_NUM_PARALLEL: "1"}}
    deploy: {{resources: {{limits: {{memory: {memory}}}}}}}
    x-sutazai: {{tier: stateful, backup: none, probes: [ollama]}}
  backend:
    image: backend:1
    environment: {{OLLAMA_BASE_URL: "http://ollama:11434"}}
    depends_on: [ollama]
  agent:
    image: agent:1
    environment: {{OLLAMA_BASE_URL: "http://ollama:11434", OLLAMA_MODEL: "{asked}"}}
"""


class Engine(Somewhere):
    """Knows where Ollama is, and how much room its disk has."""

    name = "compose"
    free: int | None = 10**12

    def data_folder(self, service):
        raise Unsupported("in a volume")

    def execute(self, service, argv):
        if self.free is None:
            raise Unsupported("no df")
        return f"Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/sda 9 9 {self.free // 1024} 1% /root"


class Quietly(ThreadingHTTPServer):
    """Does not mind a client that hangs up."""

    daemon_threads = True

    def handle_error(self, request, client_address) -> None:
        pass


@contextmanager
def serving_ollama(ollama: Ollama):
    """Its port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with suppress(BrokenPipeError, ConnectionResetError):
                respond(self, ollama, self.path, json.loads(content or b"{}"))

        do_POST = do_DELETE = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = Quietly(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


class House:
    """An installation with one Ollama, for tests."""

    def __init__(self, folder: Path, ollama: Ollama, port: int) -> None:
        self.folder, self.ollama, self.port = folder, ollama, port
        self.platform_folder = folder / "platform"
        self.platform_folder.mkdir()
        self.engine = Engine(ollama=port)
        self.write()

    def write(
        self, manifest: str = MANIFEST, *, memory: str = "8G", loaded: int = 2, asked: str = "llama3.2:3b"
    ) -> None:
        core = CORE.format(memory=memory, loaded=loaded, asked=asked)
        (self.platform_folder / "core.yaml").write_text(core)
        (self.platform_folder / "models.yaml").write_text(manifest)

    def here(self, **settings) -> Installation:
        given = {"home": self.folder / "home", "platform": self.platform_folder, **settings}
        installation = Installation(Loaded(settings=Settings(**given), origins={}))
        installation.__dict__["engine"] = self.engine
        return installation

    def fleet(self, **settings) -> Fleet:
        return Fleet(self.here(**settings))
