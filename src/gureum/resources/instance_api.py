"""The API's actions on instances that are there: start, stop, reboot, terminate, console.

Sources: EC2 API Reference; EC2 User Guide, "Instance lifecycle".
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace

from gureum.errors import ApiError
from gureum.kind import Call, Kind, Shape
from gureum.resources import (
    image_metadata,
    instance_attributes,
    instance_options,
    instance_requirements,
    network_interface,
)
from gureum.resources.instance import (
    ENDED,
    UP,
    USER_REQUEST,
    Instance,
    expired,
    lower,
    reason,
)
from gureum.resources.instance_shape import LISTINGS, show_state
from gureum.resources.network_interface import interfaces_of
from gureum.resources.run_instances import run_instances
from gureum.resources.screenshot import screenshot
from gureum.resources.volume import volumes_of

Change = Callable[[Call, Instance], Instance]


def _each(call: Call, change: Change, result: str) -> Shape:
    """Change every instance of the call and tell the state of each before and after."""
    rows = [call.txn.get(Instance, key) for key in dict.fromkeys(call.params["InstanceIds"])]
    changes = []
    for row in rows:
        new = change(call, row)
        changes.append(
            {
                "InstanceId": row.id,
                "PreviousState": show_state(row.state),
                "CurrentState": show_state(new.state),
            }
        )
    return {result: changes}


def _wrong_state(row: Instance, verb: str) -> ApiError:
    return ApiError(
        "IncorrectInstanceState",
        f"The instance '{row.id}' is not in a state from which it can be {verb}.",
    )


def start_instances(call: Call) -> Shape:
    """StartInstances: a stopped instance boots again, with a new public address of AWS's own."""
    return _each(call, _start, "StartingInstances")


def _start(call: Call, row: Instance) -> Instance:
    if row.state in ("pending", "running"):
        return row
    if row.state != "stopped":
        raise _wrong_state(row, "started")
    if not any(how.device == row.root_device for _, how in volumes_of(call.txn.view, row.id)):
        raise ApiError(
            "InvalidParameterValue",
            f"Invalid value '{row.id}' for instanceId. Instance does not have a volume attached at "
            f"root ({row.root_device})",
        )
    started = replace(row, state="pending", boot=row.boot + 1, launched=call.now, reason=None)
    call.txn.put(started)
    for eni in interfaces_of(call.txn.view, row.id):
        plugged = network_interface.plug(call, eni, row.id)
        if eni.attachment and eni.attachment.device_index == 0 and row.auto_public:
            network_interface.assign_public(call, plugged)
    return started


def stop_instances(call: Call) -> Shape:
    """StopInstances.  ``Force`` and ``Hibernate`` make no difference to a container."""
    return _each(call, _stop, "StoppingInstances")


def _stop(call: Call, row: Instance) -> Instance:
    if row.stop_protected:
        raise ApiError(
            "OperationNotPermitted",
            f"The instance '{row.id}' may not be stopped. Modify its 'disableApiStop' instance "
            "attribute and try again.",
        )
    if row.state in ("stopping", "stopped"):
        return row
    if row.state != "running":
        raise _wrong_state(row, "stopped")
    return call.txn.put(replace(row, state="stopping", reason=reason(USER_REQUEST, call.now)))


def reboot_instances(call: Call) -> Shape:
    """RebootInstances: the processes start anew, the addresses stay."""
    for key in dict.fromkeys(call.params["InstanceIds"]):
        row = call.txn.get(Instance, key)
        if row.state != "running":
            raise _wrong_state(row, "rebooted")
        call.txn.put(replace(row, boot=row.boot + 1))
    return {}


def terminate_instances(call: Call) -> Shape:
    """TerminateInstances: any state will do; one that is gone already stays so."""
    for key in call.params["InstanceIds"]:
        if call.txn.get(Instance, key).protected:
            raise ApiError(
                "OperationNotPermitted",
                f"The instance '{key}' may not be terminated. Modify its 'disableApiTermination' "
                "instance attribute and try again.",
            )
    return _each(call, _terminate, "TerminatingInstances")


def _terminate(call: Call, row: Instance) -> Instance:
    if row.state in ENDED:
        return row
    why = reason(USER_REQUEST, call.now)
    return call.txn.put(replace(row, state="shutting-down", reason=why))


def _monitoring(call: Call, *, on: bool) -> Shape:
    answer = []
    for key in dict.fromkeys(call.params["InstanceIds"]):
        row = call.txn.put(replace(call.txn.get(Instance, key), monitored=on))
        state = "enabled" if row.monitored else "disabled"
        answer.append({"InstanceId": row.id, "Monitoring": {"State": state}})
    return {"InstanceMonitorings": answer}


def monitor_instances(call: Call) -> Shape:
    """MonitorInstances: remembered only."""
    return _monitoring(call, on=True)


def unmonitor_instances(call: Call) -> Shape:
    """UnmonitorInstances."""
    return _monitoring(call, on=False)


def get_console_output(call: Call) -> Shape:
    """GetConsoleOutput: the last 64 KiB that the instance printed, base64."""
    row = call.txn.get(Instance, call.params["InstanceId"])
    output = call.probe("console", row.id)
    answer: Shape = {"InstanceId": row.id, "Timestamp": call.now}
    if output:
        answer["Output"] = base64.b64encode(output).decode()
    return answer


def get_console_screenshot(call: Call) -> Shape:
    """GetConsoleScreenshot: the last lines of the console as a JPEG, base64; no screen sleeps.

    Raises:
        ApiError: ``InvalidInstanceID.NotFound``, ``IncorrectInstanceState`` unless it is up.
    """
    row = call.txn.get(Instance, call.params["InstanceId"])
    if row.state not in UP:
        raise ApiError(
            "IncorrectInstanceState", f"The instance '{row.id}' is not in the 'running' state."
        )
    taken = screenshot(call.probe("console", row.id))
    return {"InstanceId": row.id, "ImageData": base64.b64encode(taken).decode()}


def get_uefi_data(call: Call) -> Shape:
    """GetInstanceUefiData: containers have no UEFI variables, instances of ours none to give."""
    row = call.txn.get(Instance, call.params["InstanceId"])
    return {"InstanceId": row.id, "UefiData": ""}


KIND = Kind(
    row=Instance,
    actions={
        "RunInstances": run_instances,
        "StartInstances": start_instances,
        "StopInstances": stop_instances,
        "RebootInstances": reboot_instances,
        "TerminateInstances": terminate_instances,
        "MonitorInstances": monitor_instances,
        "UnmonitorInstances": unmonitor_instances,
        "GetConsoleOutput": get_console_output,
        "GetConsoleScreenshot": get_console_screenshot,
        "GetInstanceUefiData": get_uefi_data,
        **instance_attributes.ACTIONS,
        **instance_options.ACTIONS,
    },
    reads=frozenset(
        {
            "GetConsoleOutput",
            "GetConsoleScreenshot",
            "GetInstanceUefiData",
            "DescribeInstanceAttribute",
        }
    )
    | instance_options.READS,
    listings=(
        *LISTINGS,
        image_metadata.LISTING,
        instance_options.TOPOLOGY,
        instance_requirements.LISTING,
    ),
    lower=lower,
    expired=expired,
)
