"""A request to the studio. Its body has a limited size and is read first. Errors become an answer of one sentence."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from kpdetect.config import StrictConfig, build_config
from kpdetect.errors import InputError, KpdetectError
from kpdetect.files.json_yaml import parse_json

MAX_JSON = 8 * 2**20
"""Largest size in bytes of a request that is not an upload."""
MAX_UPLOAD = 32 * 2**20
"""Largest size in bytes of an uploaded file."""
Body = TypeVar("Body", bound=StrictConfig)


class ConflictError(InputError):
    """The error for a document that was changed elsewhere after this page read it."""


class TooLargeError(InputError):
    """The error for a request with too many bytes."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request.

    Attributes:
        path: named parts of the address.
        query: parameters after the question mark of the address.
        content: bytes of the body.
    """

    path: Mapping[str, Any]
    query: Mapping[str, str]
    content: bytes = b""

    def json(self) -> Any:
        """Parse the body as JSON.

        Raises:
            InputError: the body is not JSON, or is nested too deeply.
        """
        return parse_json(self.content, "request", InputError)

    def body(self, kind: type[Body]) -> Body:
        """Parse the body as a record.

        Raises:
            InputError: the body is not JSON.
            ConfigError: a key or value is wrong.
        """
        values = self.json()
        if not isinstance(values, dict):
            raise InputError("request: expected a JSON object; reload the page")
        return build_config(kind, values, source="request")

    def number(self, name: str, default: int) -> int:
        """Read a whole number of at least 0 from the query.

        Raises:
            InputError: the value is not such a number.
        """
        text = self.query.get(name, str(default))
        if not (text.isdecimal() and int(text) < 2**63):
            raise InputError(f"{name} {text}: expected a whole number from 0 on")
        return int(text)


Action = Callable[[Call], "Response | dict[str, Any] | list[Any]"]


def answer(action: Action, limit: int = MAX_JSON) -> Callable[[Request], Any]:
    """Make an endpoint that runs `action` in a thread, outside the event loop.

    Args:
        action: function from a request to a response, or to a value that is sent as JSON.
        limit: largest size of a request's body in bytes.
    """

    async def endpoint(request: Request) -> Response:
        try:
            content = await _limited(request, limit)
            call = Call(path=request.path_params, query=request.query_params, content=content)
            result = await run_in_threadpool(action, call)
        except ConflictError as error:
            return _refusal(error, 409)
        except TooLargeError as error:
            return _refusal(error, 413)
        except KpdetectError as error:
            return _refusal(error, 400)
        except (ClientDisconnect, anyio.get_cancelled_exc_class()):
            raise
        except Exception:
            traceback.print_exc(file=sys.stderr)
            sentence = "The studio failed at this. The terminal in which it runs says why; what was saved is safe."
            return JSONResponse({"error": sentence}, 500)
        return result if isinstance(result, Response) else JSONResponse(result)

    return endpoint


def _refusal(error: Exception, status: int) -> Response:
    return JSONResponse({"error": str(error)}, status)


async def _limited(request: Request, limit: int) -> bytes:
    """Read the body of a request. Refuse it if its announced length or its actual length is over the limit."""
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > limit:
        raise TooLargeError(_too_large(limit))
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise TooLargeError(_too_large(limit))
        parts.append(part)
    return b"".join(parts)


def _too_large(limit: int) -> str:
    return f"the file is larger than {limit // 2**20} MiB; give a smaller one"
