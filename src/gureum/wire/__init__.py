"""AWS's ec2 and query protocols, driven by botocore's service models."""

from gureum.wire.models import actions, input_members, known_action, output_path_exists
from gureum.wire.request import Request, addressed, decode
from gureum.wire.response import Response, encode, encode_error

__all__ = [
    "Request",
    "Response",
    "actions",
    "addressed",
    "decode",
    "encode",
    "encode_error",
    "input_members",
    "known_action",
    "output_path_exists",
]
