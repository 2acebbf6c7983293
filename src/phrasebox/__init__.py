"""Learns which words of a caption describe which part of an image, from captions alone."""
