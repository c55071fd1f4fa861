"""Containers of the graph world: GraphDef, and the TensorProtos in it."""
