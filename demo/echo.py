"""A web service that tells its clients who they are, for instances and for the mirror alike.

It is read as text and handed to instances as user data, so it needs nothing but Python itself.
"""

import http.server
import sys


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers every GET with the client's address as seen here."""

    def do_GET(self) -> None:
        body = f"{sys.argv[2]} sees {self.client_address[0]}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("", int(sys.argv[1])), Echo).serve_forever()
