"""What a run starts from where nobody chooses; commands read it before JAX is there."""

from importlib.util import find_spec

# They come by themselves and may be used by everybody (docs/protection.md).
SURROGATES = ("mobileface", "mobileface-mv", "sface", "dlib", "facenet-128")
HELD_OUT = "lightcnn"  # judges where nobody chooses, and is never a surrogate then
# JAX finds a GPU or a TPU by these packages. It is not asked: that would wait for all of it.
_ACCELERATORS = ("jax_cuda13_plugin", "jax_cuda12_plugin", "jax_rocm7_plugin", "libtpu")
PRESET = "strong" if any(map(find_spec, _ACCELERATORS)) else "fast"
BATCH_SIZE = 8  # faces
