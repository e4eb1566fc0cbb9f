"""A local web server with the file lists of figshare and Zenodo, range requests, and errors on demand."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FileServer(ThreadingHTTPServer):
    """Serve ``files``; each request for a file takes the next of its ``faults``: a status, ``cut`` or ``no range``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[int | str]] = {}
        self.log: list[tuple[str, str]] = []
        self.md5: dict[str, str] = {}
        self.address = f"http://127.0.0.1:{self.server_port}"

    def figshare(self) -> bytes:
        return json.dumps(
            [
                {
                    "name": name,
                    "size": len(content),
                    "download_url": f"{self.address}/{name}",
                    "computed_md5": self.checksum(name),
                }
                for name, content in self.files.items()
            ]
        ).encode()

    def zenodo(self) -> bytes:
        files = [
            {
                "key": name,
                "size": len(content),
                "links": {"self": f"{self.address}/{name}"},
                "checksum": f"md5:{self.checksum(name)}",
            }
            for name, content in self.files.items()
        ]
        return json.dumps({"files": files}).encode()

    def checksum(self, name: str) -> str:
        return self.md5.get(name, hashlib.md5(self.files[name]).hexdigest())  # noqa: S324


class _Handler(BaseHTTPRequestHandler):
    server: FileServer

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        name = self.path.strip("/")
        requested = self.headers.get("Range", "")
        self.server.log.append((name, requested))
        faults = self.server.faults.get(name, [])
        fault = faults.pop(0) if faults else None
        lists = {"list/figshare": self.server.figshare, "list/zenodo": self.server.zenodo}
        content = lists[name]() if name in lists else self.server.files.get(name)
        if isinstance(fault, int) or content is None:
            self.send_error(fault if isinstance(fault, int) else 404)
            return
        start = int(requested.removeprefix("bytes=").rstrip("-")) if requested and fault != "no range" else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        body = content[start:]
        self.wfile.write(body[: len(body) // 2] if fault == "cut" else body)
        self.close_connection = True


@contextmanager
def running_server() -> Iterator[FileServer]:
    with FileServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
