"""The networks in PyTorch, written for comparison and sharing no code with the Flax ones.

One module for each architecture. Its `build(name)` gives the network called `name`, with the very
attribute names that its published state dict has, without weights; input: preprocessed NCHW images,
output: raw embeddings.
"""
