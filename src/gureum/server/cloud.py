"""The parts of one running cloud, put together for whoever serves it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from gureum.engines import Engine
from gureum.engines.flows import Station
from gureum.iam.vault import Vault, new_vault
from gureum.images import ImageStore
from gureum.machines import MachineRoom
from gureum.program import Service
from gureum.reconcile import Reconciler
from gureum.resources import Registry
from gureum.server.analyses import Analyses
from gureum.server.dispatch import Dispatcher
from gureum.server.docker.engine import DockerEngine
from gureum.server.networks import Networks
from gureum.server.recorder import Which
from gureum.services import FlowRoom, ServiceRoom
from gureum.store import Store


@dataclass(frozen=True)
class Cloud:
    """One cloud in one process.  ``state`` is its folder; ``tag`` marks what it makes in the
    kernel; ``dispatch`` carries out API calls; ``networks`` are what questions are
    about, and ``analyses`` those that take their time; ``flows`` are recorded.  ``ending`` is set
    when the process is to end: answers that go on and on end then.  ``vault`` opens the secrets in
    ``store``, and ``auth`` is how callers of the API are known; ``audit`` which calls are
    recorded.  ``docker`` is the container engine inside instances, where those run."""

    state: Path
    tag: str
    store: Store
    registry: Registry
    engine: Engine
    machines: MachineRoom
    images: ImageStore
    reconciler: Reconciler
    services: ServiceRoom[Service | Station]
    dispatch: Dispatcher
    networks: Networks
    analyses: Analyses
    flows: FlowRoom
    ending: threading.Event = field(default_factory=threading.Event)
    vault: Vault = field(default_factory=new_vault)
    auth: str = "open"
    audit: Which = "writes"
    docker: DockerEngine | None = None
