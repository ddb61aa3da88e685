"""A sweep's settings: a TOML file whose grid is spread out into cells."""

import dataclasses
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tipim_jax import networks
from tipim_jax.configuration import SettingsError, fill, read_toml
from tipim_jax.method.settings import PRESETS, TipIm

# What the grid varies of the method: the name in the file and in `TipIm`.
_VARIED = ("gamma", "epsilon", "iterations")


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What a sweep's file says.

    Attributes:
      title: of the page.
      protocol: who is protected, imitated and in the gallery, see `tipim_jax.datasets.Protocol`.
      probes, targets, distractors: how many people; None is as many as the protocol has.
      protocol_seed: start of the random numbers by which they are chosen.
      drawn_distractors: embeddings of nobody that are added to the gallery, drawn at random.
      recognisers: networks that judge, beside the surrogates.
      crops: whether aligned crops are attacked as crops, as the published protocols have it, and
        not whole photos, as people protect them.
      batch_size: how many faces are protected together.
      dtype: what the surrogates compute in; as the attack's setting.
      cells: all that is protected, in order.
    """

    title: str = "Sweep"
    protocol: Literal["paper", "reproduction", "people"] = "people"
    probes: int | None = None
    targets: int | None = None
    distractors: int | None = None
    protocol_seed: int = 0
    drawn_distractors: int = 0
    recognisers: tuple[str, ...] = ()
    crops: bool = False
    batch_size: int = 8
    dtype: Literal["auto", networks.PrecisionName] = "auto"
    cells: tuple["Cell", ...] = ()


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One place in the grid: masks for all probes.

    Attributes:
      surrogates: networks that they are made against, together.
      method: what the file calls the method's settings.
      settings: the method's.
      seed: start of the random numbers of its views.
    """

    surrogates: tuple[str, ...]
    method: str
    settings: TipIm
    seed: int

    def __str__(self) -> str:
        numbers = f"γ {self.settings.gamma:g}, ε {self.settings.epsilon:g}"
        return (
            f"{'+'.join(self.surrogates)}, {self.method}, {numbers}, "
            f"{self.settings.iterations} iterations, seed {self.seed}"
        )

    @property
    def decides(self) -> tuple[Any, ...]:
        """All that decides its masks beside faces and weights, as JSON can hold it."""
        return self.surrogates, dataclasses.asdict(self.settings), self.seed

    @property
    def shape(self) -> tuple[Any, ...]:
        """Equal for cells that one compiled program serves and one batch may hold."""
        return self.surrogates, dataclasses.replace(
            self.settings, epsilon=0.0, gamma=0.0, learning_rate=0.0
        )


@dataclass(frozen=True, kw_only=True)
class _Grid:
    surrogates: tuple[tuple[str, ...], ...] = (("mobileface",),)
    gamma: tuple[float, ...] = ()
    epsilon: tuple[float, ...] = ()
    iterations: tuple[int, ...] = ()
    seed: tuple[int, ...] = (0,)


@dataclass(frozen=True, kw_only=True)
class Overrides:
    """What the command line says instead of the file, where it says anything.

    `iterations` is of every cell, the others are those of `Sweep`.
    """

    probes: int | None = None
    distractors: int | None = None
    drawn_distractors: int | None = None
    iterations: int | None = None
    batch_size: int | None = None
    dtype: str | None = None
    crops: bool | None = None


def read_sweep(path: Path, overrides: Overrides = Overrides()) -> Sweep:
    """Reads a sweep's file.

    Raises:
      SettingsError: the file is missing, is no TOML, or holds a name or a value that does not fit.
    """
    table = read_toml(path)
    grid = _grid(table.pop("grid", {}), f"{path}: [grid] ")
    methods = _methods(table.pop("methods", {"TIP-IM": {}}), str(path))
    if overrides.iterations is not None:
        grid = dataclasses.replace(grid, iterations=(overrides.iterations,))
        for _, own in methods.values():
            own.pop("iterations", None)
    sweep = fill(Sweep(), table, f"{path}: ")
    given = {k: v for k, v in dataclasses.asdict(overrides).items() if v is not None}
    given.pop("iterations", None)
    sweep = dataclasses.replace(sweep, **given)
    sweep = dataclasses.replace(sweep, cells=tuple(_spread(grid, methods)))
    try:
        _check(sweep)
    except ValueError as error:
        raise SettingsError(f"{path}: {error}") from None
    return sweep


def _grid(table: dict[str, Any], where: str) -> _Grid:
    grid = fill(_Grid(), table, where)
    values = {}
    for name, kinds in (("gamma", (int, float)), ("epsilon", (int, float))):
        values[name] = tuple(float(v) for v in _each(grid, name, kinds, where))
    for name in ("iterations", "seed"):
        values[name] = tuple(_each(grid, name, (int,), where))
    together = _each(grid, "surrogates", (list, tuple), where)
    for names in together:
        for name in names:
            if not isinstance(name, str):
                raise SettingsError(f"{where}surrogates: {name!r}; expected a network's name")
    return _Grid(surrogates=tuple(map(tuple, together)), **values)


def _each(grid, name, kinds, where):
    for value in (values := getattr(grid, name)):
        if type(value) not in kinds:
            expected = "a list of networks' names" if name == "surrogates" else kinds[-1].__name__
            raise SettingsError(f"{where}{name}: {value!r} in the list; expected {expected}")
    return values


def _methods(table: dict[str, Any], where: str) -> dict[str, tuple[TipIm, dict[str, tuple]]]:
    """Of each method its settings, and the values that it has in place of the grid's."""
    methods = {}
    for name, settings in table.items():
        if not isinstance(settings, dict):
            raise SettingsError(f"{where}: methods.{name} is {settings!r}; expected a table")
        preset = settings.pop("preset", "official")
        if preset not in PRESETS:
            known = ", ".join(PRESETS)
            raise SettingsError(
                f"{where}: [methods.{name}] preset is {preset!r}; expected one of {known}"
            )
        place = f"{where}: [methods.{name}] "
        lists = {axis: settings.pop(axis) for axis in _VARIED if type(settings.get(axis)) is list}
        own = dataclasses.asdict(_grid(lists, place))
        method = fill(PRESETS[preset](), settings, place)
        methods[name] = method, {axis: own[axis] for axis in lists}
    return methods


def _spread(grid: _Grid, methods):
    """Every combination; what neither the method nor the grid varies is the method's own."""
    for surrogates, (name, (method, own)) in itertools.product(grid.surrogates, methods.items()):
        axes = [
            own.get(axis) or getattr(grid, axis) or (getattr(method, axis),) for axis in _VARIED
        ]
        for *values, seed in itertools.product(*axes, grid.seed):
            settings = dataclasses.replace(method, **dict(zip(_VARIED, values, strict=True)))
            yield Cell(surrogates=surrogates, method=name, settings=settings, seed=seed)


def _check(sweep: Sweep) -> None:
    if not sweep.cells:
        raise ValueError("the grid has no cell; give every list in it at least one value")
    if sweep.protocol not in ("paper", "reproduction", "people"):
        raise ValueError(
            f"protocol is {sweep.protocol!r}; expected one of paper, reproduction, people"
        )
    if sweep.drawn_distractors < 0:
        raise ValueError(f"drawn_distractors is {sweep.drawn_distractors}; expected 0 or more")
    if sweep.dtype not in ("auto", *networks.PRECISIONS):
        known = ", ".join(("auto", *networks.PRECISIONS))
        raise ValueError(f"dtype is {sweep.dtype!r}; expected one of {known}")
    if sweep.batch_size < 1:
        raise ValueError(f"batch_size is {sweep.batch_size}; expected 1 or more")
    for name in {*sweep.recognisers, *itertools.chain(*(c.surrogates for c in sweep.cells))}:
        networks.get(name)
    for cell in sweep.cells:
        if not cell.surrogates:
            raise ValueError("grid.surrogates holds an empty list; expected networks' names in it")
        cell.settings.check()
    if len(set(sweep.cells)) < len(sweep.cells):
        raise ValueError("two cells of the grid are the same; remove the value that is there twice")
