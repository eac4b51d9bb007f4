"""`python -I <folder> stage|collect ...`: the entry point of the trusted containers."""

import sys

from evalsvc.pod import collect, stage

if __name__ == "__main__":
    steps = {"stage": stage.main, "collect": collect.main}
    step = steps.get(sys.argv[1] if len(sys.argv) > 1 else "")
    if step is None:
        sys.exit(f"usage: {'|'.join(steps)} ARGUMENTS")
    sys.exit(step(sys.argv[2:]))
