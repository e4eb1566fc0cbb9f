"""Fake wandb servers: one that works, one that refuses every key, one that accepts connections and never responds."""

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
        response = self._response(json.loads(body)) if self.path == "/graphql" else {}
        text = json.dumps(response).encode()
        self.send_response(self.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST  # noqa: N815, the base class's name
    do_PUT = do_POST  # noqa: N815, the base class's name

    def _response(self, request):
        variables = request.get("variables") or {}
        if self.status != 200:
            return {"errors": [{"message": "permission denied"}]}
        if "upsertBucket" in request["query"]:
            project = {"id": "P", "name": "p", "entity": {"id": "E", "name": "e"}}
            run = {"id": "B", "name": variables.get("name"), "displayName": "n", "config": None, "historyLineCount": 0}
            return {"data": {"upsertBucket": {"bucket": {**run, "project": project}, "inserted": True}}}
        if "upsertView" in request["query"]:
            self.server.views.append(variables)
            return {"data": {"upsertView": {"view": {"id": "V", "name": variables["name"]}, "inserted": True}}}
        if "viewer" in request["query"].lower():
            return {"data": {"viewer": {"id": "U", "entity": "e", "username": "u", "flags": "{}"}}}
        return {"data": None, "errors": [{"message": "unknown query"}]}

    def log_message(self, *_):
        pass


@contextmanager
def serving(status: int = 200) -> Iterator[tuple[str, ThreadingHTTPServer]]:
    """Serve with an HTTP status: 200 responds as wandb does, others refuse every request."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"status": status}))
    server.views = []  # that clients have saved
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", server
    server.shutdown()
    server.server_close()


@contextmanager
def silent() -> Iterator[str]:
    """Accept connections and never respond."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def closed_port() -> str:
    """Return the address of a port on which no server listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"
