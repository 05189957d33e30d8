"""How each protocol's services word their refusals of a parameter.

EC2 has codes of its own; the services of the query protocol answer ``ValidationError`` to most.
Sources: EC2 API Reference, "Error codes for the Amazon EC2 API", and IAM API Reference, "Common
errors".
"""

from __future__ import annotations

from gureum.errors import ApiError, invalid_value, missing_parameter

_SHOWN = 200
"""So many characters of a bad value are repeated in the answer."""


class Faults:
    """EC2's wording.  A *path* is a parameter's name as in the request: ``Filter.1.Name``."""

    def missing(self, path: str) -> ApiError:
        return missing_parameter(path)

    def unknown(self, path: str) -> ApiError:
        return ApiError("UnknownParameter", f"The parameter {path} is not recognized")

    def invalid(self, path: str, value: str, reason: str = "") -> ApiError:
        return invalid_value(spoken(path), value[:_SHOWN], reason)

    def outside(self, path: str, value: object, bound: str, limit: float) -> ApiError:
        """``bound`` is ``least`` or ``most``; EC2 says *greater than* where it means *at least*."""
        sense = "greater" if bound == "least" else "less"
        return ApiError(
            "InvalidParameterValue",
            f"Value ( {value} ) for parameter {spoken(path)} is invalid. "
            f"Expecting a value {sense} than {limit}.",
        )


class QueryFaults(Faults):
    """The wording of STS and IAM."""

    def missing(self, path: str) -> ApiError:
        return self._constraint("null", path, "Member must not be null")

    def invalid(self, path: str, value: str, reason: str = "") -> ApiError:
        reason = reason or "Member must satisfy enum value set"
        return self._constraint(value[:_SHOWN], path, reason)

    def outside(self, path: str, value: object, bound: str, limit: float) -> ApiError:
        sense = "greater" if bound == "least" else "less"
        return self._constraint(
            str(value), path, f"Member must have value {sense} than or equal to {limit}"
        )

    def _constraint(self, value: str, path: str, reason: str) -> ApiError:
        return ApiError(
            "ValidationError",
            f"1 validation error detected: Value '{value}' at '{spoken(path)}' failed to satisfy "
            f"constraint: {reason}",
        )


def spoken(path: str) -> str:
    """A parameter's name as AWS's messages write it: ``MaxResults`` is ``maxResults``."""
    return path[:1].lower() + path[1:]


def faults(protocol: str) -> Faults:
    """The wording for a protocol."""
    return Faults() if protocol == "ec2" else QueryFaults()
