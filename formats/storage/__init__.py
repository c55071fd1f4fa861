"""Bytes: files, wire spans, HDF5 and zip. Nothing here knows what the bytes mean."""
