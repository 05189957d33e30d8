"""Images at the console: what the store has, and work on it that takes its time.

Such work answers with one JSON value a line::

    {"said": "web:1: unpacking layer 2 of 5, 3.1 MiB"}        each step
    {}                                                        a sign of life
    {"done": {...}} or {"error": {"code", "message"}}         last

It goes on if whoever asked hangs up: what it fetched or made will be wanted again.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from starlette.responses import StreamingResponse

from gureum.errors import ApiError
from gureum.images import (
    Credentials,
    Form,
    Image,
    ImageError,
    ImageInUseError,
    ImageNotFoundError,
    Store,
    parse_name,
    read_recipe,
)
from gureum.kind import Shape
from gureum.server.cloud import Cloud
from gureum.server.dispatch import utc_now
from gureum.server.stored_images import claim, publish

if TYPE_CHECKING:
    from gureum.server.console_ask import Ask

log = logging.getLogger(__name__)

BEAT = 5.0
"""Seconds between signs of life."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Work:
    """Something that takes its time: called with where to tell its steps, it answers the end."""

    run: Callable[[Progress], Shape]


Handler = Callable[["Ask"], "Shape | Work"]


class Images:
    """The answers; each method is one."""

    def __init__(self, cloud: Cloud) -> None:
        self._store = Store(cloud.images)
        self._cloud = cloud

    def _changed(self) -> None:
        """Tell the API of the store's images."""
        publish(self._store, self._cloud.store, utc_now())

    def _claimed(self) -> Store:
        """The store, in which what this cloud uses is held."""
        claim(self._store, self._cloud.store.view, self._cloud.tag)
        return self._store

    def _then(self, run: Callable[[Progress], Shape]) -> Work:
        def work(tell: Progress) -> Shape:
            answer = run(tell)
            self._changed()
            return answer

        return Work(work)

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """Method, path and answer of each question."""
        return (
            ("GET", "/images", self.list),
            ("DELETE", "/images", self.remove),
            ("GET", "/images/one", self.one),
            ("POST", "/images/pull", self.pull),
            ("POST", "/images/load", self.load),
            ("POST", "/images/save", self.save),
            ("POST", "/images/build", self.build),
            ("POST", "/images/tag", self.tag),
            ("POST", "/images/prune", self.prune),
        )

    def list(self, ask: Ask) -> Shape:
        """All images, and our own that are not built yet."""
        found = self._store.list()
        there = {name for image in found for name in image.names}
        missing = [own for name, own in self._store.own().items() if name not in there]
        return {"images": [_row(image) for image in found], "missing": missing}

    def one(self, ask: Ask) -> Shape:
        """All about one image."""
        image = self._store.find(ask.text("name"))
        return {
            **_row(image),
            "sources": list(image.sources),
            "architecture": image.architecture,
            "os": image.os,
            "config": asdict(image.config),
            "stack": [asdict(layer) | {"path": str(layer.path)} for layer in image.stack],
            "history": [asdict(step) for step in image.history],
            "holders": list(self._store.holders(image.digest)),
        }

    def pull(self, ask: Ask) -> Work:
        """Fetch an image, with ``user`` and ``password`` if they are given."""
        name, user = ask.text("name"), ask.maybe("user")
        login = Credentials(user, ask.maybe("password") or "") if user else None
        return self._then(lambda tell: _row(self._store.pull(name, tell, login)))

    def load(self, ask: Ask) -> Work:
        """Bring in the images of a file or folder."""
        path, name = _path(ask.text("path")), ask.maybe("name")
        return self._then(
            lambda tell: {"images": [_row(each) for each in self._store.load(path, tell, name)]}
        )

    def save(self, ask: Ask) -> Work:
        """Write images into a file or folder."""
        names, path, form = ask.body.get("names"), _path(ask.text("path")), ask.text("form")
        if not isinstance(names, list) or form not in get_args(Form):
            raise ApiError("BadRequest", "names must be a list, and form one of those there are.")

        def run(tell: Progress) -> Shape:
            self._store.save([str(name) for name in names], path, form, tell)  # type: ignore[arg-type] # one of Form's
            return {"path": str(path), "size": path.stat().st_size if path.is_file() else None}

        return Work(run)

    def build(self, ask: Ask) -> Work:
        """Build an image: from the text of a recipe, whose files are in ``folder``, or one of our
        own by its name."""
        name, text, folder = ask.maybe("name"), ask.maybe("recipe"), ask.maybe("folder")
        if text is None:
            return self._then(lambda tell: _row(self._own(ask.text("name"), tell)))
        recipe = read_recipe(text, _path(folder) if folder else None)
        return self._then(lambda tell: _row(self._store.build(recipe, name, tell)))

    def _own(self, name: str, tell: Progress) -> Image:
        if str(parse_name(name)) not in self._store.own():
            own = ", ".join(self._store.own().values())
            raise ImageNotFoundError(f"no image of ours is called {name}; there are {own}")
        return self._store.ensure(name, tell)

    def tag(self, ask: Ask) -> Shape:
        """Give an image one more name."""
        answer = _row(self._store.tag(ask.text("name"), ask.text("new")))
        self._changed()
        return answer

    def remove(self, ask: Ask) -> Shape:
        """Take a name away, or the image."""
        answer = self._claimed().remove(ask.text("name"), force=ask.flag("force"))
        self._changed()
        return asdict(answer)

    def prune(self, ask: Ask) -> Shape:
        """Remove what nobody needs."""
        answer = self._claimed().prune(everything=ask.flag("all"))
        self._changed()
        return asdict(answer)


def _row(image: Image) -> Shape:
    return {
        "id": image.id,
        "digest": image.digest,
        "names": [parse_name(name).short for name in image.names],
        "created": image.created,
        "size": image.size,
        "layers": len(image.stack),
    }


def _path(text: str) -> Path:
    path = Path(text)
    if not path.is_absolute():
        raise ApiError("BadRequest", "A path must be absolute.")
    return path


def refusal(error: ImageError) -> tuple[str, str, int]:
    """Code, message and status of an error."""
    code, status = "ImageError", 409
    if isinstance(error, ImageNotFoundError):
        code, status = "NoSuchImage", 404
    elif isinstance(error, ImageInUseError):
        code = "ImageInUse"
    return code, str(error), status


class Working(StreamingResponse):
    """Does work and tells its steps."""

    def __init__(self, work: Work) -> None:
        super().__init__(_lines(work), media_type="application/x-ndjson")


def _lines(work: Work) -> Iterator[bytes]:
    told: queue.SimpleQueue[Shape] = queue.SimpleQueue()
    threading.Thread(target=_do, args=(work, told.put), name="image-work", daemon=True).start()
    while True:
        try:
            row = told.get(timeout=BEAT)
        except queue.Empty:
            row = {}
        yield json.dumps(row, separators=(",", ":")).encode() + b"\n"
        if "done" in row or "error" in row:
            return


def _do(work: Work, tell: Callable[[Shape], None]) -> None:
    try:
        tell({"done": work.run(lambda line: tell({"said": line}))})
    except ImageError as error:
        code, message, _ = refusal(error)
        tell({"error": {"code": code, "message": message}})
    except ApiError as error:
        tell({"error": {"code": error.code, "message": error.message}})
    except Exception:
        log.exception("work on images failed")
        message = "An internal error: the daemon's log has it."
        tell({"error": {"code": "InternalError", "message": message}})
