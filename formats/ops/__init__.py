"""What TensorFlow's ops are: their definitions, their age, and the shapes that they make."""
