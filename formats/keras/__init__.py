"""The layer world's containers: Keras configs, HDF5 models and weights, .keras archives."""
