"""Tells whether a job that exists is the job that was asked for."""

import hashlib
import json
from dataclasses import asdict

from evalsvc.executors.base import JobSpec


def spec_hash(spec: JobSpec) -> str:
    """SHA-256 over all of a spec; of the key only its hash goes in, so the label tells nothing about it."""
    fields = {
        "attempt": spec.attempt_id,
        "image": spec.image,
        "source": str(spec.source),
        "splits": sorted(spec.splits),
        "key": hashlib.sha256(b"evalsvc name key" + spec.name_key).hexdigest(),
        "limits": asdict(spec.limits),
    }
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
