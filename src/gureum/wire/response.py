"""From a result or an error to the HTTP response of the ec2, query, json or restJson1 protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gureum.errors import ApiError
from gureum.wire import json_rpc, rest_json
from gureum.wire.encoder import MisfitError, encoder
from gureum.wire.models import ALL_SERVICES, IN_JSON, JSON_SERVICES, REST_SERVICES, service
from gureum.wire.request import Request
from gureum.wire.xml import DECLARATION, escape

_CONTENT_TYPES = {
    "ec2": "text/xml;charset=UTF-8",
    "query": "text/xml",
    "json": json_rpc.CONTENT_TYPE,
    "rest-json": rest_json.CONTENT_TYPE,
}
_REQUEST_ID_HEADERS = ("x-amzn-requestid", "x-amz-request-id")


@dataclass
class Response:
    """What the server sends: status, headers (without the length), body."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def encode(request: Request, result: Mapping[str, Any], request_id: str) -> Response:
    """The answer to ``request``; ``result`` has the names of the operation's output shape.

    Members that are None are left out.  Times are datetimes (aware) or ISO 8601 strings.

    Raises:
        gureum.wire.encoder.MisfitError: (a ValueError) where ``result`` is not of that shape; the
            message has the path.
    """
    model = service(request.service)
    if request.service in IN_JSON:
        body = json_rpc.encode_body(model, request.action, result)
        return _response(200, model.protocol, body, request_id)
    shape = model.output_shape(request.action)
    out: list[str] = []
    try:
        if shape is not None:
            encoder(request.service).content(shape)(result, out)
        elif result:
            raise MisfitError("the operation has no output").inside(next(iter(result)))
    except MisfitError as misfit:
        raise misfit.inside(request.action) from None
    content = "".join(out)
    if model.protocol == "ec2":
        # Operations without output answer `true`: EC2's documentation calls it <return>.
        content = content if shape is not None else "<return>true</return>"
        content = f"<requestId>{escape(request_id)}</requestId>{content}"
    else:
        wrapper = shape.serialization.get("resultWrapper") if shape is not None else None
        content = f"<{wrapper}>{content}</{wrapper}>" if wrapper else content
        content += f"<ResponseMetadata><RequestId>{escape(request_id)}</RequestId>"
        content += "</ResponseMetadata>"
    name = f"{request.action}Response"
    text = f'{DECLARATION}<{name} xmlns="{model.namespace}">{content}</{name}>'
    return _response(200, model.protocol, text.encode(), request_id)


def encode_error(service_name: str | None, error: ApiError, request_id: str) -> Response:
    """The refusal in the shape of the service's protocol; ec2's where the service is unknown."""
    code, message = escape(error.code), escape(error.message)
    detail = f"<Code>{code}</Code><Message>{message}</Message>"
    shown_id = escape(request_id)
    if service_name in JSON_SERVICES:
        return _response(error.status, "json", json_rpc.encode_refusal(error), request_id)
    if service_name in REST_SERVICES:
        found = _response(error.status, "rest-json", rest_json.encode_refusal(error), request_id)
        found.headers[rest_json.ERROR_HEADER] = error.code
        return found
    protocol = service(service_name).protocol if service_name in ALL_SERVICES else "ec2"
    if protocol == "ec2" or service_name is None:
        text = f"<Response><Errors><Error>{detail}</Error></Errors>"
        text += f"<RequestID>{shown_id}</RequestID></Response>"
    else:
        side = "Sender" if error.status < 500 else "Receiver"
        text = f'<ErrorResponse xmlns="{service(service_name).namespace}">'
        text += f"<Error><Type>{side}</Type>{detail}</Error>"
        text += f"<RequestId>{shown_id}</RequestId></ErrorResponse>"
    return _response(error.status, protocol, (DECLARATION + text).encode(), request_id)


def _response(status: int, protocol: str, body: bytes, request_id: str) -> Response:
    headers = dict.fromkeys(_REQUEST_ID_HEADERS, request_id)
    headers["content-type"] = _CONTENT_TYPES[protocol]
    headers["cache-control"] = "no-cache, no-store"
    return Response(status, headers, body)
