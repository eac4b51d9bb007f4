"""The synthetic stand-in: images that look like mammograms, and labels with the statistics of the published set.

Nothing in it comes from a patient.  Each woman has one hidden number, her masking potential (the latent): it
shapes her image (`anatomy`, `render`), what the experts say (`experts`) and, loosely, whether she has a cancer
(`endpoints`).  One seed gives everything, and every image has a random stream of its own.
"""
