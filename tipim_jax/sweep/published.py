"""What others printed, to stand beside what is measured here.

Paper: Yang et al., ICCV 2021, LFW, ε = 12; rank-1-T / rank-5-T and rank-1-UT / rank-5-UT, percent.
Reproduction: Liu and Bei, 50 probes, γ = 0, rank-1-T / rank-5-T. White box in brackets.
"""

_PAPER_COLUMNS = ("ArcFace", "MobileFace", "ResNet50", "SphereFace", "FaceNet", "CosFace")
_PAPER = {
    "Rank-1-T / Rank-5-T": {
        "ArcFace": "[97.2/98.8] 69.8/90.6 56.0/80.6 13.2/32.0 32.8/56.2 11.4/31.0",
        "MobileFace": "44.0/68.2 [96.6/99.2] 62.8/85.8 12.6/29.8 28.8/46.2 12.4/31.2",
        "ResNet50": "34.2/56.8 62.4/83.4 [95.6/98.2] 11.4/25.6 23.2/40.0 10.8/26.2",
    },
    "Rank-1-UT / Rank-5-UT": {
        "ArcFace": "[97.4/96.4] 79.4/68.8 70.4/56.8 85.2/76.6 73.4/63.4 84.0/73.8",
        "MobileFace": "68.6/58.8 [96.6/94.8] 81.4/71.2 84.4/74.0 77.6/60.4 79.4/68.2",
        "ResNet50": "83.6/59.6 87.0/81.8 [96.8/94.6] 85.8/75.0 79.4/65.4 83.6/73.0",
    },
}
_REPRODUCTION_COLUMNS = ("ArcFace", "CosFace", "SphereFace")
_REPRODUCTION = {
    "Rank-1-T / Rank-5-T": {
        "ArcFace": "[0.98/1.0] 0.54/0.92 0.50/0.90",
        "CosFace": "0.24/0.86 [0.94/0.96] 0.76/0.94",
        "SphereFace": "0.20/0.78 0.76/0.86 [0.94/0.98]",
    }
}
_SOURCES = {
    "paper": ("Yang et al., paper protocol, percent", _PAPER_COLUMNS, _PAPER),
    "reproduction": ("Liu and Bei, γ = 0", _REPRODUCTION_COLUMNS, _REPRODUCTION),
}


def published(protocol: str) -> str:
    """The printed tables of a protocol as text, with their source; empty where there are none."""
    if protocol not in _SOURCES:
        return ""
    source, columns, tables = _SOURCES[protocol]
    parts = []
    for title, lines in tables.items():
        parts.append(f"published: {title} ({source})")
        table = [("masks from", *columns)] + [(n, *line.split()) for n, line in lines.items()]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        parts += [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in table
        ]
        parts.append("")
    return "\n".join(parts)
