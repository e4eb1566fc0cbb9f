"""A server that stands where wandb's is looked for: it works, refuses every key, or takes calls and never answers."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    status = 200

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        answer = self._answer(json.loads(body)) if self.path == "/graphql" else {}
        text = json.dumps(answer).encode()
        self.send_response(self.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST  # noqa: N815, the base class's name
    do_PUT = do_POST  # noqa: N815, the base class's name

    def _answer(self, question):
        asked = question.get("variables") or {}
        if self.status != 200:
            return {"errors": [{"message": "permission denied"}]}
        if "upsertBucket" in question["query"]:
            project = {"id": "P", "name": "p", "entity": {"id": "E", "name": "e"}}
            run = {"id": "B", "name": asked.get("name"), "displayName": "n", "config": None, "historyLineCount": 0}
            return {"data": {"upsertBucket": {"bucket": {**run, "project": project}, "inserted": True}}}
        if "viewer" in question["query"].lower():
            return {"data": {"viewer": {"id": "U", "entity": "e", "username": "u", "flags": "{}"}}}
        return {"data": None, "errors": [{"message": "not known here"}]}

    def log_message(self, *_):
        pass


@contextmanager
def serving(status: int = 200) -> Iterator[tuple[str, ThreadingHTTPServer]]:
    """Answer every call with an HTTP status: 200 as wandb would, others as it refuses."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"status": status}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", server
    server.shutdown()
    server.server_close()


@contextmanager
def silent() -> Iterator[str]:
    """Take calls and never answer."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def closed_port() -> str:
    """Where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"
