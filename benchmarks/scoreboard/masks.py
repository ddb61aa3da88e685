"""The masks that are compared: made in whole photos, and saved as the command saves them."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.scoreboard.sets import Photos
from tipim_jax.engine import Journal, Outcome, Protector, protect_files
from tipim_jax.engine.defaults import STRENGTHS, surrogates
from tipim_jax.method import PRESETS, TipIm
from tipim_jax.photos import find_photos, output_paths

SINGLE = ("mobileface",)


@dataclass(frozen=True)
class Method:
    """A way to make masks.

    Attributes:
      line: Of the curve of protection against visibility that it is a point of.
      surrogates: The networks that it makes masks with.
      settings: Of the method.
      default: Whether it is what one gets who chooses nothing, on that line.
    """

    line: str
    surrogates: tuple[str, ...]
    settings: TipIm
    default: bool = False

    def with_iterations(self, count: int) -> "Method":
        settings = dataclasses.replace(self.settings, iterations=count)
        return dataclasses.replace(self, settings=settings)


def _levels(line: str, surrogates: tuple[str, ...], settings: TipIm) -> dict[str, Method]:
    """At ε = 8 and at 12, which all of them have by default."""
    return {
        f"{line}, ε = {epsilon:g}": Method(
            line, surrogates, dataclasses.replace(settings, epsilon=epsilon), epsilon == 12
        )
        for epsilon in (8.0, 12.0)
    }


DIM = dataclasses.replace(TipIm.paper(), target_choice="single", views=1)
METHODS = {
    **{
        name: Method("ours", surrogates(name), PRESETS[name](), name == "strong")
        for name in STRENGTHS
    },
    **_levels("fast", surrogates("fast"), TipIm.fast()),
    **_levels("the authors' code, nearest target", SINGLE, TipIm.economical()),
    **_levels("DIM", SINGLE, DIM),
}


def make_masks(
    method: Method,
    photos: Photos,
    output: Path,
    *,
    others: bool,
    add_bar: Callable[[str, int, str], Callable[[float], None]],
) -> Outcome:
    """Writes the protected photos, as far as they are not there.

    Args:
      output: Folder for `probes` and `others`, as `photos.protected` is.
      others: Whether the further photos are protected, too.
    """
    protector = Protector(method.settings, surrogates=method.surrogates, targets=photos.targets)
    wanted = {photos.probes.name, *([photos.others.name] if others else ())}
    files = [file for file in find_photos([photos.protected]) if file.relative.parts[0] in wanted]
    output.mkdir(parents=True, exist_ok=True)
    paths = output_paths(files, output, saved_as="same")
    outputs = dict(zip((file.source for file in files), paths, strict=True))
    journal = Journal(output, f"{protector.decides} same dates")
    return protect_files(protector, files, outputs, journal, add_bar=add_bar)
