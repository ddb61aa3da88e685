"""A device report as Markdown."""

from collections.abc import Mapping, Sequence

from benchmarks import table
from benchmarks.device.hlo import CATEGORIES

Row = Mapping[str, object]

# Of each part the heading and its table's columns, as in `table.text`.
_PARTS = {
    "ceilings": (
        "What the device can do",
        {"what": ("ceiling", ""), "value": ("measured", ",.4g"), "unit": ("", "")},
    ),
    "networks": (
        "The method, one network",
        {
            "network": ("network", ""),
            "mode": ("mode", ""),
            "batch": ("batch", ""),
            "dtype": ("dtype", ""),
            "speed": ("images·it/s", ",.1f"),
            "milliseconds": ("ms/it", ",.2f"),
            "tflop_per_s": ("TFLOP/s", ".3g"),
            "of_product": ("of product", ".0%"),
            "least_gb": ("least GB/it", ",.2f"),
            "of_bandwidth": ("of bandwidth", ".0%"),
            "of_floor": ("of the floor", ".0%"),
            "compile": ("compile s", ".1f"),
            "compile_cached": ("cached s", ".1f"),
            "program_gb": ("program GB", ".2f"),
            "peak_memory": ("peak GB", ".2f"),
        },
    ),
    "pytorch": (
        "PyTorch, which always searches, and our speed over it",
        {
            "network": ("network", ""),
            "batch": ("batch", ""),
            "dtype": ("dtype", ""),
            "official": ("official, images·it/s", ",.1f"),
            "tuned": ("tuned", ",.1f"),
            "best": ("best", ",.1f"),
            "best_way": ("which", ""),
            "exact_over_official": ("search / official", ",.1f"),
            "exact_over_best": ("search / best", ",.2f"),
            "nearest_over_official": ("nearest / official", ",.1f"),
            "nearest_over_best": ("nearest / best", ",.2f"),
        },
    ),
    "method": (
        "The default preset with its surrogates, masks alone",
        {
            "faces": ("faces", ""),
            "dtype": ("dtype", ""),
            "batch": ("batch", ""),
            "speed": ("faces/s", ",.1f"),
            "tflop_per_s": ("TFLOP/s", ".3g"),
            "of_product": ("of product", ".0%"),
            "least_gb": ("least GB/it", ",.2f"),
            "of_bandwidth": ("of bandwidth", ".0%"),
            "compile": ("compile s", ".1f"),
            "compile_cached": ("cached s", ".1f"),
            "first_iterations": ("to the first iterations, s", ".1f"),
            "first_iterations_cached": ("cached s", ".1f"),
            "program_gb": ("program GB", ".2f"),
            "peak_memory": ("peak GB", ".2f"),
        },
    ),
    "files": (
        "The default preset, file to file",
        {
            "files": ("files", ""),
            "written": ("written", ""),
            "faces": ("faces", ""),
            "cores": ("cores", ""),
            "seconds": ("s", ".1f"),
            "speed": ("faces/s", ",.1f"),
            "waiting": ("the device waited, s", ".2f"),
        },
    ),
}
_KERNELS = {
    "name": ("kernel", ""),
    "category": ("category", ""),
    "runs": ("runs/it", ",.1f"),
    "milliseconds": ("ms/it", ",.3f"),
}


def markdown(about: Mapping[str, object], rows: Sequence[Row]) -> str:
    """The whole report.

    Args:
      about: what the figures depend on beside the code.
      rows: with the names of their parts.
    """
    said = ", ".join(f"{name}: {value}" for name, value in about.items())
    lines = ["# Device report", "", said, ""]
    for name, (heading, columns) in _PARTS.items():
        of_part = [_flat(row) for row in rows if row["part"] == name]
        if not of_part:
            continue
        whole = [row for row in of_part if "fault" not in row]
        lines += [f"## {heading}", ""]
        if whole:
            shown = {key: column for key, column in columns.items() if any(key in r for r in whole)}
            lines += [table.markdown(whole, shown), ""]
        for row in of_part:
            if row.get("random_weights"):
                lines.append(f"{row['title']}: random weights ({row['random_weights']})\n")
            lines += [f"{row['title']}: {row[key]}\n" for key in _FAULTS if key in row]
    for row in rows:
        if "profile" in row:
            lines += _profile(row)
    return "\n".join(lines).rstrip() + "\n"


_FAULTS = ("fault", "profile_fault", "program_fault")


def _flat(row):
    """What a program asks of memory, as one number."""
    memory = row.get("program_memory")
    return row | {"program_gb": sum(memory.values())} if memory else row


def _profile(row):
    profile = row["profile"]
    whole = sum(profile["categories"].values()) + profile["idle"]  # a CPU has several lines
    times = {name: profile["categories"].get(name, 0.0) for name in CATEGORIES}
    parts = [{"name": name, "milliseconds": value} for name, value in times.items() if value]
    parts.append({"name": "nothing runs", "milliseconds": profile["idle"]})
    for part in parts:
        part["share"] = part["milliseconds"] / whole
    columns = {
        "name": ("category", ""),
        "milliseconds": ("ms/it", ",.3f"),
        "share": ("share", ".0%"),
    }
    lines = [f"## Where the time goes: {row['title']}", "", table.markdown(parts, columns), ""]
    if "kernels" in row:
        kinds = ", ".join(f"{count} {kind}" for kind, count in row["kernels"].items())
        lines += [f"The program, {row['text_size'] / 1e6:.1f} MB of text: {kinds}.", ""]
    return [*lines, table.markdown(profile["kernels"], _KERNELS), ""]
