"""Tables for ONNX graphs, written as a walk through the nodes in the order of the file."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from weights_convert.fill import Table, Transform
from weights_convert.tables.layouts import flattened, same, slopes


class Walk:
    """Numbers the nodes as `readers.onnx_reader` does and notes what becomes of their constants.

    Every node has to be passed, so that a graph that computes something else does not go through.
    """

    def __init__(self):
        self._weights: dict[str, tuple[str, Transform]] = {}
        self._constants: dict[str, np.ndarray] = {}
        self._counts: Counter[str] = Counter()

    def table(self, given: Mapping[str, float] | None = None) -> Table:
        """What was walked through; `given` as in `Table`."""
        counts = {f"operators.{kind}": np.array(count) for kind, count in self._counts.items()}
        constants = self._constants | counts
        return Table("onnx", self._weights, constants=constants, given=given or {})

    def node(self, operator: str, constants: Mapping[str, Any] | None = None, **weights) -> None:
        """Passes a node.

        Args:
          operator: its type.
          constants: input or attribute that is not at its default -> what it must be.
          **weights: input -> path of ours, or (path, transform).
        """
        name = f"{operator}_{self._counts[operator]}"
        self._counts[operator] += 1
        for place, value in (constants or {}).items():
            self._constants[f"{name}.{place}"] = np.asarray(value)
        for place, target in weights.items():
            self._weights[f"{name}.{place}"] = (
                target if isinstance(target, tuple) else (target, same)
            )

    def conv(
        self,
        kernel: str,
        transform: Transform,
        bias: str | tuple[str, Transform] | None = None,
        *,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
    ) -> None:
        """Passes a convolution; `kernel` is a path of ours, `bias` as a weight of `node`."""
        constants = {"strides": [stride] * 2} if stride > 1 else {}
        constants |= {"pads": [padding] * 4} if padding else {}
        constants |= {"group": groups} if groups > 1 else {}
        biases = {"B": bias} if bias else {}
        self.node("Conv", constants, W=(kernel, transform), **biases)

    def prelu(self, ours: str) -> None:
        self.node("PRelu", slope=(f"params/{ours}/slope", slopes))

    def batch_norm(self, ours: str, epsilon: float) -> None:
        self.node(
            "BatchNormalization",
            {} if epsilon == 1e-5 else {"epsilon": epsilon},  # ONNX's default
            scale=f"params/{ours}/scale",
            B=f"params/{ours}/bias",
            input_mean=f"batch_stats/{ours}/mean",
            input_var=f"batch_stats/{ours}/var",
        )

    def layer_norm_in_parts(self, scale: str, bias: str, epsilon: float) -> None:
        """Passes a layer normalisation as many nodes, before ONNX's version 17 had one."""
        self.node("ReduceMean", {"axes": [-1]})
        self.node("Sub")
        self.node("Pow", {"Y": 2.0})
        self.node("ReduceMean", {"axes": [-1]})
        self.node("Add", {"B": epsilon})
        self.node("Sqrt")
        self.node("Div")
        self.node("Mul", B=scale)
        self.node("Add", B=bias)

    def flatten_linear(self, ours: str, height: int, width: int) -> None:
        """Passes the flattening of maps and the linear layer behind it."""
        self.node("Flatten")
        self.linear(ours, height, width)

    def linear(self, ours: str, height: int, width: int) -> None:
        """Passes a linear layer that takes flattened maps."""
        kernel = (f"params/{ours}/kernel", flattened(height, width))
        self.node("Gemm", {"transB": 1}, B=kernel, C=f"params/{ours}/bias")
