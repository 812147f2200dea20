"""The web application of the studio: the function for each address."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from kpdetect.studio.compare_room import CompareRoom
from kpdetect.studio.edit_room import EditRoom
from kpdetect.studio.name_room import NameRoom
from kpdetect.studio.project_room import ProjectRoom
from kpdetect.studio.request import MAX_UPLOAD, Action, answer
from kpdetect.studio.review_room import ReviewRoom
from kpdetect.studio.workplace import Workplace

STATIC = Path(__file__).parent / "static"
ROOMS = ("project", "edit", "name", "review", "compare")


def build_app(workplace: Workplace) -> Starlette:
    """Build the studio's web application, without the guard (`kpdetect.studio.guard`)."""
    edit, name, review = EditRoom(workplace), NameRoom(workplace), ReviewRoom(workplace)
    project, compare = ProjectRoom(workplace), CompareRoom(workplace)
    routes = [
        *(Route(path, _page) for path in ("/", *(f"/{room}" for room in ROOMS))),
        Mount("/static", StaticFiles(directory=STATIC)),
        _get("/api/about", lambda call: _about(workplace)),
        _get("/api/project", project.describe),
        _get("/api/project/sheet/{stage}/{step:int}", project.sheet),
        _get("/report", project.report),
        _get("/api/edit/model", edit.describe),
        _get("/api/edit/sample/{sample:int}", edit.sample),
        _post("/api/edit/draw", edit.draw),
        _post("/api/edit/photo", edit.photo, MAX_UPLOAD),
        _post("/api/edit/open", edit.opened),
        _post("/api/edit/save/{kind}", edit.save),
        _get("/api/edit/saved/{name}", edit.saved),
        _get("/api/name", name.describe),
        _get("/api/name/image/{number:int}", name.image),
        _post("/api/name", name.save),
        _get("/api/review", review.sets),
        _get("/api/review/{set:int}", review.describe),
        _get("/api/review/{set:int}/picture/{row:int}", review.picture),
        _post("/api/review/{set:int}/correct", review.correct),
        _post("/api/review/{set:int}/export", review.export),
        _get("/api/compare", compare.describe),
        _post("/api/compare", compare.make),
        _get("/api/compare/{study}/trial", compare.trial),
        _post("/api/compare/{study}/answers", compare.answer),
        _get("/api/compare/{study}/picture/{file:path}", compare.picture),
        _get("/api/compare/{study}/tally", compare.tally),
        _get("/api/compare/{study}/page", compare.page),
        _post("/api/compare/{study}/import", compare.take, MAX_UPLOAD),
    ]
    return Starlette(routes=routes, exception_handlers={404: _unknown, 405: _unknown})


def _get(path: str, action: Action) -> Route:
    return Route(path, answer(action), methods=["GET"])


def _post(path: str, action: Action, limit: int | None = None) -> Route:
    return Route(path, answer(action) if limit is None else answer(action, limit), methods=["POST"])


def _page(request: Request) -> Response:
    return FileResponse(STATIC / "index.html", media_type="text/html")


def _unknown(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": f"{request.url.path}: nothing is here; reload the page"}, 404)


def _about(workplace: Workplace) -> dict[str, Any]:
    """Return what the page needs at its start."""
    target = workplace.target
    return {
        "target": "" if target is None else str(target),
        "models": list(workplace.models),
        "model": workplace.first_model,
        "project": workplace.folder is not None,
        "predictions": len(workplace.predictions),
        "out": str(workplace.out),
    }
