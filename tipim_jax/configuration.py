"""Settings from TOML files, checked name by name."""

import dataclasses
import tomllib
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

T = TypeVar("T")


class SettingsError(ValueError):
    """A setting that cannot be used; the message says which, why, and what to do."""


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a configuration file.

    Raises:
      SettingsError: the file is missing or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is no TOML: {error}") from None


def fill(settings: T, table: dict[str, Any], where: str) -> T:
    """A copy of a dataclass with a table's values, each checked against its default's type.

    Defaults that are None stand for paths, but those of type `int | None` or `str | None`. A field
    called `method` is left to whoever reads the table of that name.

    Raises:
      SettingsError: a name that no field has, or a value of another type; it begins with `where`.
    """
    values = {}
    hints = get_type_hints(type(settings))
    fields = {f.name: f for f in dataclasses.fields(settings) if f.name != "method"}
    for name, value in table.items():
        if name not in fields:
            raise SettingsError(
                f"{where}{name} is no setting; expected one of {', '.join(sorted(fields))}"
            )
        default = getattr(settings, name)
        optional = {int | None: int, str | None: str}.get(hints[name])
        is_path = not optional and (default is None or isinstance(default, Path))
        kind = str if is_path else optional or type(default)
        if kind is float and type(value) is int:
            value = float(value)
        expected = list if kind is tuple else kind
        if type(value) is not expected:
            raise SettingsError(
                f"{where}{name} is {value!r}; expected a value of type {expected.__name__}"
            )
        values[name] = Path(value) if is_path else tuple(value) if kind is tuple else value
    return dataclasses.replace(settings, **values)
