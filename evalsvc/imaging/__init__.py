"""From DICOM to the 8-bit image a model sees, and the synthetic stand-in."""
