"""The one error an API call can end in; its codes are AWS's, as data.

Where AWS documents a message, the message here is the same sentence: tools match on codes, and
people search for sentences.  Source: EC2 API Reference, "Error codes for the Amazon EC2 API".
"""

from __future__ import annotations


class ApiError(Exception):
    """A refusal with AWS's error code, a sentence for the caller, and the HTTP status.

    ``status`` is 400 for everything the caller can mend, 403 for what the caller may not do,
    412 for a dry run that would have succeeded, 5xx for ourselves.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def invalid_value(parameter: str, value: object, reason: str = "") -> ApiError:
    """``InvalidParameterValue`` in AWS's usual wording for ``parameter``."""
    tail = f". {reason}" if reason else ""
    return ApiError(
        "InvalidParameterValue", f"Value ({value}) for parameter {parameter} is invalid{tail}"
    )


def missing_parameter(parameter: str) -> ApiError:
    """``MissingParameter`` in AWS's wording."""
    return ApiError("MissingParameter", f"The request must contain the parameter {parameter}")


def invalid_combination(message: str) -> ApiError:
    """``InvalidParameterCombination``: parameters that are good alone but not together."""
    return ApiError("InvalidParameterCombination", message)
