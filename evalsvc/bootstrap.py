"""The composition root: the one place that turns settings into parts and puts the parts together."""

from pathlib import Path

from evalsvc.config import Settings, load_settings
from evalsvc.store.session import Store, create_store_engine


def open_store(settings: Settings | None = None) -> tuple[Store, Path]:
    """The store and the data folder, which is made (readable by its owner alone) where there is none."""
    settings = settings or load_settings()
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Store(create_store_engine(settings.store_url)), settings.data
