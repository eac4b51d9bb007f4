"""An evaluation service for medical-imaging benchmarks whose test set stays private."""
