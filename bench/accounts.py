"""``python -m bench.accounts``: what it costs to check who calls, and what they may.

The same signed ``DescribeVpcs`` over one HTTP connection each, in turns, to an API that believes
everybody, one that checks signatures, and one that holds a user's policy against the call as well.
"""

from __future__ import annotations

import json
import socket
import statistics
import time
from http.client import HTTPConnection

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tests.server.secured import REGION, Keys, Secured

from gureum.server.authentication import Mode

MODES: tuple[Mode, ...] = ("open", "verify", "enforce")
ROUNDS, CALLS = 150, 20
"""Short turns: what else the machine does meanwhile then meets all three alike."""
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}],
}


class Caller:
    """One user of one API."""

    def __init__(self, mode: Mode) -> None:
        self.api = Secured(mode)
        keys: Keys = ("test", "test") if mode == "open" else self._user()
        url = f"{self.api.endpoint}/"
        self._body = "Action=DescribeVpcs&Version=2016-11-15"
        kind = {"content-type": "application/x-www-form-urlencoded"}
        request = AWSRequest("POST", url, data=self._body, headers=kind)
        SigV4Auth(Credentials(*keys), "ec2", REGION).add_auth(request)
        self._headers = dict(request.headers)
        host, _, port = self.api.endpoint.removeprefix("http://").partition(":")
        self._http = HTTPConnection(host, int(port))
        self._http.connect()
        self._http.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _user(self) -> Keys:
        iam = self.api.client(self.api.account("bench"), "iam")
        iam.create_user(UserName="reader")
        iam.put_user_policy(
            UserName="reader", PolicyName="reads", PolicyDocument=json.dumps(POLICY)
        )
        made = iam.create_access_key(UserName="reader")["AccessKey"]
        return made["AccessKeyId"], made["SecretAccessKey"]

    def seconds(self) -> tuple[float, float]:
        """Seconds a call, and those of them in which a processor worked, the client's included."""
        begun, worked = time.perf_counter(), time.process_time()
        for _ in range(CALLS):
            self._http.request("POST", "/", self._body, self._headers)
            answer = self._http.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"refused: {answer.status}")
        return (time.perf_counter() - begun) / CALLS, (time.process_time() - worked) / CALLS


def main() -> None:
    """Measure and print."""
    callers = {mode: Caller(mode) for mode in MODES}
    try:
        taken: dict[Mode, list[tuple[float, float]]] = {mode: [] for mode in MODES}
        for turn in range(ROUNDS + 1):
            for mode, caller in callers.items():
                seconds = caller.seconds()
                if turn:  # the first does not count
                    taken[mode].append(seconds)
        medians = {mode: _medians(each) for mode, each in taken.items()}
        for mode, (wall, cpu) in medians.items():
            ratio = cpu / medians["open"][1]
            print(f"DescribeVpcs, --auth {mode}: {wall * 1e6:.0f} µs, ratio of CPU {ratio:.2f}")
    finally:
        for caller in callers.values():
            caller.api.close()


def _medians(taken: list[tuple[float, float]]) -> tuple[float, float]:
    walls, cpus = zip(*taken, strict=True)
    return statistics.median(walls), statistics.median(cpus)


if __name__ == "__main__":
    main()
