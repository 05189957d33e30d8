"""The service models of botocore, read once and only when a request needs them.

This file and its neighbours are the only ones that know botocore.  A model is read with msgspec
(a fifth of the time of botocore's own reader) and without its documentation (half of its memory).
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

SERVICES: Mapping[str, str] = {"ec2": "2016-11-15", "sts": "2011-06-15", "iam": "2010-05-08"}
"""The services spoken in forms and the API version of each: clients name either in a request."""

JSON_SERVICES: Mapping[str, str] = {"cloudtrail": "2013-11-01"}
"""The services spoken in JSON: clients name them in a header (:mod:`gureum.wire.json_rpc`)."""

REST_SERVICES: Mapping[str, str] = {"ram": "2018-01-04"}
"""The services whose actions have paths of their own (:mod:`gureum.wire.rest_json`)."""

ALL_SERVICES: Mapping[str, str] = {**SERVICES, **JSON_SERVICES, **REST_SERVICES}

IN_JSON = frozenset((*JSON_SERVICES, *REST_SERVICES))
"""The services that answer in JSON."""

SCALARS = frozenset(
    ("string", "boolean", "integer", "long", "float", "double", "timestamp", "blob")
)


class _Files:
    """Reads model files for botocore's loader, which finds them and applies its amendments."""

    def exists(self, file_path: str) -> bool:
        return any(Path(file_path + ending).is_file() for ending in (".json", ".json.gz"))

    def load_file(self, file_path: str) -> Any:
        plain, packed = Path(file_path + ".json"), Path(file_path + ".json.gz")
        if plain.is_file():
            return _without_documentation(msgspec.json.decode(plain.read_bytes()))
        if packed.is_file():
            return _without_documentation(msgspec.json.decode(gzip.decompress(packed.read_bytes())))
        return None


def _without_documentation(data: Any) -> Any:
    """``data`` less the documentation of its operations, shapes and members, if it is a model."""
    if isinstance(data, dict) and "shapes" in data:
        for described in (*data["operations"].values(), *data["shapes"].values()):
            described.pop("documentation", None)
            for member in described.get("members", {}).values():
                member.pop("documentation", None)
    return data


@cache
def loader() -> Any:
    """botocore's loader of data files, with our reader."""
    from botocore.loaders import Loader  # slow to import, and rarely needed

    return Loader(file_loader=_Files())


class Service:
    """One service's model: its protocol, XML namespace and the shapes of its operations."""

    def __init__(self, name: str) -> None:
        from botocore.model import ServiceModel  # as above

        self.name = name
        self.model: Any = ServiceModel(
            loader().load_service_model(name, "service-2", ALL_SERVICES[name]), name
        )
        self.protocol: str = self.model.metadata["protocol"]
        # AWS's answers end the namespace in a slash; the ec2 model forgets it.
        self.namespace = self.model.metadata.get("xmlNamespace", "").rstrip("/") + "/"
        self.actions = frozenset(self.model.operation_names)

    def input_shape(self, action: str) -> Any:
        """The structure of the request, or None where the operation takes nothing."""
        return self.model.operation_model(action).input_shape

    def output_shape(self, action: str) -> Any:
        """The structure of the answer, or None where the answer is empty."""
        return self.model.operation_model(action).output_shape


@cache
def service(name: str) -> Service:
    """The model of one of :data:`ALL_SERVICES`, read on the first call (0.1 s for ec2)."""
    return Service(name)


@cache
def api_versions(name: str) -> frozenset[str]:
    """The API versions of a service that ever were: EC2 still answers to the old ones."""
    return frozenset(loader().list_api_versions(name, "service-2"))


def actions(service_name: str) -> frozenset[str]:
    """All actions of the service's API, built in Gureum or not."""
    return service(service_name).actions


def known_action(service_name: str, action: str) -> bool:
    """Whether the service's API has the action."""
    return service_name in SERVICES and action in service(service_name).actions


def input_members(service_name: str, action: str) -> frozenset[str]:
    """The names of the action's top-level parameters, as in the model."""
    shape = service(service_name).input_shape(action)
    return frozenset(shape.members) if shape is not None else frozenset()


def enumeration(service_name: str, shape: str) -> frozenset[str]:
    """The values of an enumeration of the model: ``ResourceType`` has the types with tags."""
    return frozenset(service(service_name).model.shape_for(shape).enum)


def limits(service_name: str, action: str, member: str) -> tuple[int | None, int | None]:
    """The smallest and largest value that the model allows for an integer parameter."""
    shape = service(service_name).input_shape(action).members[member]
    return shape.metadata.get("min"), shape.metadata.get("max")


def step(shape: Any, name: str) -> Any:
    """The shape of one segment of a path (``Main``, ``Associations[]``), or None."""
    inside = name.endswith("[]")
    if shape is None or shape.type_name != "structure":
        return None
    member = shape.members.get(name[:-2] if inside else name)
    if member is None or inside != (member.type_name == "list"):
        return None
    return member.member if inside else member


def walk(shape: Any, path: str) -> Any:
    """The shape at the end of a path such as ``Associations[].Main``, or None."""
    for name in path.split("."):
        shape = step(shape, name)
    return shape


def elements(service_name: str, action: str) -> list[Any]:
    """The output structure and the element shapes of the lists in it."""
    shape = service(service_name).output_shape(action)
    if shape is None:
        return []
    lists = [m.member for m in shape.members.values() if m.type_name == "list"]
    return [shape, *lists]


def output_path_exists(service_name: str, action: str, path: str) -> bool:
    """Whether ``path`` leads to something in the action's output, or in an element of a list in
    it.  ``A.B`` goes into structures, ``A[].B`` into lists, ``A[]`` names a list's elements."""
    return any(walk(shape, path) is not None for shape in elements(service_name, action))
