"""Serve the studio, only to this machine, and open it in the browser."""

from __future__ import annotations

import secrets
import socket
import sys
import webbrowser
from dataclasses import dataclass

import uvicorn

from kpdetect.errors import InputError
from kpdetect.studio.app import build_app
from kpdetect.studio.guard import Guard
from kpdetect.studio.workplace import Workplace

HOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Served:
    """A studio that is ready to answer requests.

    Attributes:
        server: the uvicorn server.
        listening: the socket, bound to `HOST`.
        address: address of the page, with the secret token.
    """

    server: uvicorn.Server
    listening: socket.socket
    address: str

    def run(self) -> None:
        """Answer requests until Ctrl-C, or until `server.should_exit` is set."""
        try:
            self.server.run(sockets=[self.listening])
        finally:
            self.listening.close()


def open_studio(workplace: Workplace, port: int = 0) -> Served:
    """Open a studio that listens on 127.0.0.1. Port 0 means any free port.

    Raises:
        InputError: the port is in use.
    """
    # asyncio switches Nagle's algorithm off only if the protocol is named; otherwise every answer waits 40 ms
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except (OSError, OverflowError) as error:
        listening.close()
        raise InputError(f"--port {port}: cannot be used ({error}); leave it out for a free one") from error
    listening.listen(64)
    chosen, token = int(listening.getsockname()[1]), secrets.token_urlsafe(24)
    guarded = Guard(build_app(workplace), token, chosen)
    config = uvicorn.Config(guarded, log_level="warning", access_log=False, lifespan="off", server_header=False, ws="none")
    config.timeout_graceful_shutdown = 2
    return Served(server=uvicorn.Server(config), listening=listening, address=f"http://{HOST}:{chosen}/?token={token}")


def run_studio(workplace: Workplace, port: int = 0, browser: bool = True) -> None:
    """Open the studio in the browser, and answer requests until Ctrl-C."""
    served = open_studio(workplace, port)
    print(f"studio: {served.address}", flush=True)
    print(f"saves in: {workplace.out}; Ctrl-C ends it, what was saved stays", file=sys.stderr, flush=True)
    if browser:
        webbrowser.open(served.address)
    served.run()
