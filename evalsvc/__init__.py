"""An evaluation service for medical-imaging benchmarks whose test set stays private."""

__version__ = "0.1.0"
