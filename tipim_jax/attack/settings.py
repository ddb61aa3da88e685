"""The command's settings: flags over a configuration file over a preset."""

import dataclasses
import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, get_args, get_origin, get_type_hints

import tyro

from tipim_jax import flags, networks
from tipim_jax.configuration import SettingsError, fill, read_toml
from tipim_jax.engine import defaults
from tipim_jax.method.settings import PRESETS, TipIm

NetworkName = tyro.extras.literal_type_from_choices(networks.names())
RESEARCH = "research"  # stands for several surrogates
SurrogateName = tyro.extras.literal_type_from_choices((RESEARCH, *networks.names()))
Strength = Literal["subtle", "balanced", "strong"]
PresetName = tyro.extras.literal_type_from_choices(PRESETS)

PIPE = Path("-")  # stands for standard input
_PATHS = ("paths", "only", "excepted")  # settings that are lists of them

_EXAMPLES = f"""\
strengths; the figures are those of the default networks and iterations:
{chr(10).join(f"  {name:<10} {what}" for name, what in defaults.STRENGTHS.items())}

examples:
  tipim protect                               the bundled people
  tipim protect holiday/ me.jpg --output out  a folder and a photo
  tipim protect holiday/ --strength subtle    fainter, weaker masks
  tipim protect holiday/ --only me.jpg        masks for one person alone
  tipim protect - < me.jpg > protected.jpg    in a pipe
  tipim protect --watch inbox/                what arrives in a folder, until Ctrl-C
  tipim protect lfw/ --surrogate mobileface --recogniser sface --recogniser dlib

networks: {", ".join(networks.names())}

A run that was stopped goes on where it was when the same command is given again.

exit status:
  0    every file that was given holds a face, and all faces have masks, but those that
       --only, --except and --smallest leave alone
  1    a photo could not be read, protected or written, or nothing could be done at all
  2    the command line makes no sense
  3    all photos in which a face was found are protected; others, or files that are no photos,
       are not: the summary names them, to be looked at before the folder is posted
  130  stopped by Ctrl-C"""


@dataclass(frozen=True, kw_only=True)
class Attack:
    """Protect the faces in photos from face recognition.

    Finds every face in the given photos, adds a mask of at most epsilon per pixel that makes face
    recognition networks take it for somebody else, and writes the protected photos under --output,
    together with results.json and report.html. Without PATH it protects the bundled people, who do
    not exist. Photos never leave this machine.

    Attributes:
      paths: Photos (JPEG, PNG, WebP, HEIC, AVIF, TIFF, BMP, GIF, JPEG 2000), whatever they are
        called, and folders of them; - alone reads one from standard input and writes it, protected,
        to standard output, and nothing under --output.
      output: Folder that the protected photos, results.json and report.html are written to. The
        report shows the faces unprotected, too, and is not to be posted with the photos. Photos in
        which there is nobody to mask, as no face was found or none was chosen, are not copied
        there; the summary names them.
      strength: How strong the masks are, see above; another name of --preset for these three.
      only: Photo of one person, to mask their face alone; give it once per photo. A face is theirs
        where two networks surely take it for theirs; one of which that is in doubt is left alone
        and named as not protected. One that neither takes for theirs, as may be in profile or of
        old, has no mask: look at the list. Photos in which they are not are not written.
      excepted: Photo of one person whose face is left alone, where it is surely theirs; give it
        once per photo. One of which that is in doubt is masked, and named.
      smallest: Faces whose box has no side of so many pixels are left alone.
      watch: Folder that is looked at every second until Ctrl-C: what is there or arrives is
        protected. No report is written meanwhile; `tipim protect FOLDER` makes it afterwards.
      verbose: Print what each recogniser makes of the photos as a table, too.
      surrogate: Network that masks are made against; give it once per network. The more there are,
        and the more they differ, the better a mask holds against one that it never saw. research
        are those of the strengths with w600k and edgeface, which nobody may use but for research.
      recogniser: Network that results are measured with; give it once per network. One that is no
        surrogate is held out: it tells what to expect of a recogniser that nobody knows.
      targets: Folder with one photo of each person that the photos shall be taken for.
      gallery: Folder of folders, one per person, that the protected photos are searched for in.
      preset: What the method's settings and the surrogates start from: a strength, fast, which was
        the default before, or a published variant.
      config: TOML file with settings, see configs/; a flag wins over it.
      batch_size: How many faces are protected together; on an accelerator, where nobody chooses, up
        to 64, and in a long run up to 256 for each device.
      dtype: What the surrogates compute in; auto is float32 on a CPU, bfloat16 on an accelerator.
        tf32 is float32 whose products NVIDIA's GPUs may round to 10 bits.
      seed: Start of all random numbers; the same seed gives the same files.
      format: same writes JPEG (quality 95, or the photo's own where that is higher, 4:4:4) for
        JPEG, and for HEIC without transparency, and PNG for all else; what JPEG rounds comes on top
        of epsilon. png writes all as PNG, in which every pixel is as the mask has it.
      metadata: What goes with the picture and its colour profile. dates: when it was taken, and the
        file's times. all: the EXIF data, the place included, too; not the camera's notes, nor the
        thumbnail, which would show the face unprotected; the picture is upright, so nothing is said
        of how it was turned. none: nothing.
      first_frame: Protect the first picture of an animation, as a still one; otherwise animations
        are not protected.
      overwrite: Protect photos anew that are done already.
      coordinator: Address of the first of several processes that share the photos.
      num_processes: How many there are.
      process_id: Which one this is, from 0.
      method: Each row of the method's definition is a setting; defaults are the preset's.
    """

    paths: Annotated[
        tyro.conf.Positional[tuple[Path, ...]], flags.unset("the bundled people", "[PATH ...]")
    ] = ()
    output: Path = Path("protected")
    strength: Annotated[
        Strength | None,
        flags.unset("what --preset is", "{subtle,balanced,strong}", Strength),
    ] = None
    only: Annotated[
        tyro.conf.UseAppendAction[tuple[Path, ...]], flags.unset("everybody is masked", "PHOTO")
    ] = ()
    excepted: Annotated[
        tyro.conf.UseAppendAction[tuple[Path, ...]],
        flags.unset("nobody is left alone", "PHOTO", name="except"),
    ] = ()
    smallest: Annotated[int, flags.unset("0", "PIXELS")] = 0
    watch: Annotated[Path | None, flags.unset("none", "FOLDER")] = None
    verbose: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    surrogate: Annotated[
        tyro.conf.UseAppendAction[tuple[SurrogateName, ...]],
        flags.unset(
            f"{', '.join(defaults.SURROGATES)}; of published variants "
            f"{', '.join(defaults.surrogates('paper'))}",
            "NETWORK",
        ),
    ] = ()
    recogniser: Annotated[
        tyro.conf.UseAppendAction[tuple[NetworkName, ...]],
        flags.unset(f"the surrogates and {defaults.HELD_OUT}", "NETWORK"),
    ] = ()
    targets: Annotated[Path | None, flags.unset("ten of the bundled people")] = None
    gallery: Annotated[
        Path | None, flags.unset("the bundled people and the given photos themselves")
    ] = None
    preset: PresetName = defaults.PRESET
    config: Annotated[Path | None, flags.unset("none", "FILE")] = None
    batch_size: Annotated[int | None, flags.unset(f"{defaults.BATCH_SIZE}, on a CPU", "N")] = None
    dtype: Literal["auto", networks.PrecisionName] = "auto"
    seed: int = 0
    format: Literal["same", "png"] = "same"
    metadata: Literal["none", "dates", "all"] = "dates"
    first_frame: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    overwrite: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    coordinator: Annotated[str | None, flags.unset("one process alone", "HOST:PORT")] = None
    num_processes: Annotated[int | None, flags.unset("1", "N")] = None
    process_id: Annotated[int | None, flags.unset("0", "N")] = None
    method: tyro.conf.OmitArgPrefixes[TipIm] = field(default_factory=PRESETS[defaults.PRESET])

    @property
    def surrogates(self) -> tuple[str, ...]:
        given = self.surrogate or defaults.surrogates(self.preset)
        each = (defaults.RESEARCH if name == RESEARCH else (name,) for name in given)
        return tuple(dict.fromkeys(itertools.chain.from_iterable(each)))

    @property
    def recognisers(self) -> tuple[str, ...]:
        """The networks that judge, held-out ones last."""
        judges = self.recogniser or dict.fromkeys((*self.surrogates, defaults.HELD_OUT))
        return tuple(sorted(judges, key=lambda name: name not in self.surrogates))


def parse(arguments: list[str]) -> Attack:
    """Reads the command line; exits with status 2 and a message where it makes no sense.

    Raises:
      SettingsError: a configuration file that cannot be read, or a value out of its range.
    """
    # The preset and the file give the defaults that --help shows and that the flags replace.
    first = {"preset": None, "strength": None, "config": None}
    for name in first:
        for position, argument in enumerate(arguments):
            if argument == f"--{name}" and position + 1 < len(arguments):
                first[name] = arguments[position + 1]
            elif argument.startswith(f"--{name}="):
                first[name] = argument.split("=", 1)[1]
    settings = read_config(Path(first["config"])) if first["config"] else _start(defaults.PRESET)
    preset = first["preset"] or first["strength"]
    if preset is not None:
        settings = dataclasses.replace(settings, method=_start(preset).method)
    from_file = settings
    settings = dataclasses.replace(settings, surrogate=(), recogniser=())
    settings = flags.parse(Attack, arguments, "tipim protect", more=_EXAMPLES, default=settings)
    if settings.strength and first["preset"] not in (None, settings.strength):
        raise SettingsError(
            f"--strength {settings.strength} and --preset {first['preset']} are two names of one "
            "setting; give one of them"
        )
    settings = dataclasses.replace(
        settings,
        preset=settings.strength or settings.preset,
        strength=None,
        surrogate=settings.surrogate or from_file.surrogate,
        recogniser=settings.recogniser or from_file.recogniser,
    )
    check(settings)
    return settings


def check(settings: Attack) -> None:
    """Raises SettingsError for the first value that is out of its range."""
    try:
        settings.method.check()
    except ValueError as error:
        raise SettingsError(str(error)) from None
    # What a file says is not checked by tyro.
    for name, hint in get_type_hints(Attack).items():
        value = getattr(settings, name)
        if get_origin(hint) is Literal and value not in get_args(hint):
            known = ", ".join(get_args(hint))
            raise SettingsError(f"{name} is {value!r}; expected one of {known}")
    for name in (*settings.surrogates, *settings.recogniser):
        if name not in networks.names():
            known = ", ".join(networks.names())
            raise SettingsError(f"{name!r} is no network; expected one of {known}")
    if settings.smallest < 0:
        raise SettingsError(f"--smallest is {settings.smallest}; expected 0 pixels or more")
    if PIPE in settings.paths and (len(settings.paths) > 1 or settings.watch):
        raise SettingsError("- is standard input, one photo; it goes without other photos")
    if settings.watch and settings.paths:
        raise SettingsError(f"--watch {settings.watch} goes without photos and other folders")
    if settings.watch and settings.coordinator:
        raise SettingsError("--watch is for one process; leave --coordinator out")
    size, group = settings.batch_size, settings.method.mmd_group_size
    if size is not None and size < 1:
        raise SettingsError(f"--batch-size is {size}; expected at least 1")
    if size and settings.method.gamma and size > group and size % group:
        raise SettingsError(
            f"--batch-size {size} does not divide into MMD groups of {group}; "
            f"choose --batch-size {group} or less, or a multiple of it"
        )


def _start(preset: str) -> Attack:
    """What a preset says; one that is unknown is named when the flags are read."""
    return Attack(preset=preset, method=PRESETS.get(preset, PRESETS[defaults.PRESET])())


def read_config(path: Path) -> Attack:
    """Reads a TOML file: the command's settings by name, the method's in the table [method].

    Raises:
      SettingsError: the file is missing, is no TOML, or holds a name or value that does not fit.
    """
    try:
        table = read_toml(path)
    except SettingsError as error:
        raise SettingsError(f"--config {error}") from None
    if "strength" in table:
        if "preset" in table:
            raise SettingsError(f"{path}: strength and preset are two names of one setting")
        table["preset"] = table.pop("strength")
    preset = table.get("preset", defaults.PRESET)
    if preset not in PRESETS:
        known = ", ".join(PRESETS)
        raise SettingsError(f"{path}: preset is {preset!r}; expected one of {known}")
    start = _start(preset)
    method = fill(start.method, table.pop("method", {}), f"{path}: [method] ")
    settings = fill(start, table, f"{path}: ")
    lists = {name: tuple(map(Path, getattr(settings, name))) for name in _PATHS}
    settings = dataclasses.replace(settings, method=method, **lists)
    try:
        check(settings)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None
    return settings
