"""Calls through real bytes: botocore serializes and parses, our wire decodes and encodes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlencode

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from gureum.wire import Request, Response, decode, encode

SERVICES = ("ec2", "sts", "iam")
REQUEST_ID = "2f8d2c56-0c54-4a8b-9f4e-1c2f6a6d0001"


@cache
def service_model(service: str) -> Any:
    """botocore's own view of a service, read by botocore itself."""
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def service_of(action: str) -> str:
    """The first service that has the action."""
    return next(name for name in SERVICES if action in service_model(name).operation_names)


def form(service: str, action: str, params: Mapping[str, Any]) -> bytes:
    """The body that botocore sends for a call, unsigned and without its own validation."""
    operation: OperationModel = service_model(service).operation_model(action)
    serializer = create_serializer(operation.metadata["protocol"], include_validation=False)
    return urlencode(serializer.serialize_to_request(dict(params), operation)["body"]).encode()


def request_for(action: str, params: Mapping[str, Any], service: str | None = None) -> Request:
    """The request that our wire reads from botocore's bytes."""
    name = service or service_of(action)
    return decode("POST", {}, "", form(name, action, params), host_service=name)


def parse(service: str, action: str, response: Response) -> dict[str, Any]:
    """What botocore reads from an answer, less its metadata."""
    operation: OperationModel = service_model(service).operation_model(action)
    parser = create_parser(operation.metadata["protocol"])
    raw = {
        "body": response.body,
        "headers": response.headers,
        "status_code": response.status,
    }
    parsed: dict[str, Any] = parser.parse(raw, operation.output_shape)
    parsed.pop("ResponseMetadata", None)
    return parsed


def through_wire(request: Request, result: Mapping[str, Any]) -> dict[str, Any]:
    """A result as botocore reads it from our bytes."""
    response = encode(request, result, REQUEST_ID)
    return parse(request.service, request.action, response)
