"""A trial on the researcher's own machine: the service's containers and limits, on images that are no secret."""
