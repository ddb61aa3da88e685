"""What networks compute in: here alone the words of users and benchmarks get their meaning."""

from typing import Literal, NamedTuple


class Precision(NamedTuple):
    """How exactly a network computes.

    Attributes:
      dtype: of the maps between its layers, and of the factors of products.
      products: JAX's name for what an accelerator may make of these factors; a CPU rounds nothing.
    """

    dtype: str
    products: str


PrecisionName = Literal["float32", "tf32", "bfloat16"]
PRECISIONS: dict[str, Precision] = {
    "float32": Precision("float32", "highest"),
    # Factors with 10 bits behind the point, as NVIDIA's units for them have it.
    "tf32": Precision("float32", "tensorfloat32"),
    "bfloat16": Precision("bfloat16", "default"),
}


def chosen(dtype: str, platform: str) -> str:
    """The name of the precision that a setting stands for.

    Args:
      dtype: one of `PRECISIONS`, or auto: float32 on a CPU, bfloat16 on an accelerator.
      platform: "cpu", "gpu" or "tpu".
    """
    if dtype == "auto":
        return "float32" if platform == "cpu" else "bfloat16"
    return dtype
