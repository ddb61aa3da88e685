"""What the documentation's site has besides docs/*.md: `make docs` calls it, see mkdocs.yml.

Nothing is written twice: pages from other folders are taken as they stand, their links led to where
the site has what they name, and the reference lists the public names of each package, as its
`__init__.py` has them, with their docstrings.
"""

import ast
import json
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.structure.files import File

_ROOT = Path(__file__).parents[1]
# Where files from outside docs/ are on the site.
_BROUGHT = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "tipim_jax/data/people/README.md": "people.md",
    "CITATION.cff": "CITATION.cff",
}
_REFERENCE = (
    "tipim_jax",
    *(f"tipim_jax/{name}" for name in ("engine", "method", "identification", "networks", "photos")),
    "weights_convert",
)
_LINK = re.compile(r"(?<=\]\()[^)#\s:]+(?=[)#])")


def on_files(files, config):
    """Adds pages to those of docs/."""
    for source, page in _BROUGHT.items():
        text = (_ROOT / source).read_text("utf-8")
        if page.endswith(".md"):
            text = _led(text, posixpath.dirname(source))
        files.append(File.generated(config, page, content=text))
    shown: dict[str, str] = {}
    for package in _REFERENCE:
        page = f"{posixpath.basename(package)}.md"
        text = "\n\n".join(_reference(package, page, shown))
        files.append(File.generated(config, f"reference/{page}", content=text))
    return files


def _led(text: str, folder: str) -> str:
    """A page's text, with links to files as the site has them.

    Args:
      folder: that it lies in, below the repository's root.
    """

    def led(link: re.Match) -> str:
        target = posixpath.normpath(posixpath.join(folder, link[0]))
        return _BROUGHT.get(target, target.removeprefix("docs/"))

    return _LINK.sub(led, text)


def _reference(package: str, page: str, shown: dict[str, str]) -> Iterator[str]:
    """Parts of a package's page: what it is, and its functions and classes.

    Args:
      shown: pages by what stands on them already, which is added to.
    """
    dotted = package.replace("/", ".")
    tree = ast.parse((_ROOT / package / "__init__.py").read_text("utf-8"))
    yield f"# {dotted}"
    yield ast.get_docstring(tree)
    for module, names in _public(tree, dotted):
        for name in names:
            if name.isupper():  # of constants comments say what they are, in the code
                continue
            there = shown.setdefault(f"{module}.{name}", page)
            if there == page:
                options = {"heading": f"{dotted}.{name}", "toc_label": name}
                yield f"::: {module}.{name}\n    options: {json.dumps(options)}"
            else:
                yield f"`{name}`: see [{there[:-3]}]({there})."


def _public(tree: ast.Module, package: str) -> Iterator[tuple[str, list[str]]]:
    """Modules and the names that a package has from them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.startswith(package):
            yield node.module, [alias.name for alias in node.names]
        elif isinstance(node, ast.keyword) and node.arg == "submod_attrs":  # lazy_loader's
            for module, names in ast.literal_eval(node.value).items():
                yield f"{package}.{module}", names
