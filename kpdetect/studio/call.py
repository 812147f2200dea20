"""One request as a room sees it: a body of limited size, read before anything is done, and errors as one sentence."""

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
"""Bytes of a request that is no upload."""
MAX_UPLOAD = 32 * 2**20
"""Bytes of an uploaded file."""
Body = TypeVar("Body", bound=StrictConfig)


class ConflictError(InputError):
    """A document was changed elsewhere since this page read it."""


class TooLargeError(InputError):
    """A request has too many bytes."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request.

    Attributes:
        path: parts of the address.
        query: what follows the question mark.
        content: the body.
    """

    path: Mapping[str, Any]
    query: Mapping[str, str]
    content: bytes = b""

    def json(self) -> Any:
        """The body, read as JSON.

        Raises:
            InputError: it is not JSON, or nested too deeply.
        """
        return parse_json(self.content, "request", InputError)

    def body(self, kind: type[Body]) -> Body:
        """The body as a record.

        Raises:
            InputError: it is not JSON.
            ConfigError: a key or value is wrong.
        """
        values = self.json()
        if not isinstance(values, dict):
            raise InputError("request: expected a JSON object; reload the page")
        return build_config(kind, values, source="request")

    def number(self, name: str, default: int) -> int:
        """A whole number of at least 0 from the query.

        Raises:
            InputError: it is something else.
        """
        text = self.query.get(name, str(default))
        if not (text.isdecimal() and int(text) < 2**63):
            raise InputError(f"{name} {text}: expected a whole number from 0 on")
        return int(text)


Action = Callable[[Call], "Response | dict[str, Any] | list[Any]"]


def answer(action: Action, limit: int = MAX_JSON) -> Callable[[Request], Any]:
    """An endpoint that does `action` outside of the event loop.

    Args:
        action: gives a response, or what is sent as JSON.
        limit: most bytes of a body.
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
    """The body, refused by its announced length, and again by what comes."""
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
