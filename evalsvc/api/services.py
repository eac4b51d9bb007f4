"""What the routes need, put together in `evalsvc.bootstrap`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from evalsvc.admission import Admission
from evalsvc.api.views import ViewRules
from evalsvc.store.blobs import Blobs
from evalsvc.store.session import Store


@dataclass(frozen=True)
class Services:
    """The parts behind the routes."""

    store: Store
    blobs: Blobs
    admission: Admission
    rules: ViewRules
    executor: str
    clock: Callable[[], datetime]
