"""Pure metrics: arrays in, small frozen results out."""
