"""AWS's ec2, query, json and restJson1 protocols, driven by botocore's service models."""

from gureum.wire.models import actions, input_members, known_action, output_path_exists
from gureum.wire.request import Request, Unread, addressed, decode, opened
from gureum.wire.response import Response, encode, encode_error

__all__ = [
    "Request",
    "Response",
    "Unread",
    "actions",
    "addressed",
    "decode",
    "encode",
    "encode_error",
    "input_members",
    "known_action",
    "opened",
    "output_path_exists",
]
