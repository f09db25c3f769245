"""The frontend: one page that shows what the backend answers just now."""

from __future__ import annotations

import html
import json

from asking import BACKEND_URL, ask
from service import VERSION, Answer, Application

PAGE = """<!doctype html>
<title>SutazAI</title>
<h1>SutazAI {version}</h1>
<p>The backend says:</p>
<pre>{said}</pre>
"""


class Frontend(Application):
    """The frontend's page, and the health of Streamlit, which the real one is made with."""

    def __init__(self) -> None:
        super().__init__(
            {("GET", "/"): self.page, ("GET", "/health"): self.alive, ("GET", "/_stcore/health"): self.alive}
        )

    def page(self, _body: dict[str, object]) -> Answer:
        try:
            said = json.dumps(ask(f"{BACKEND_URL}/health", seconds=10), indent=2)
            status = 200
        except OSError as error:
            said, status = str(error), 502
        return Answer(PAGE.format(version=html.escape(VERSION), said=html.escape(said)), status)

    def alive(self, _body: dict[str, object]) -> Answer:
        return Answer("ok", content_type="text/plain")
