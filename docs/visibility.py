"""Makes docs/visibility.jpg: the same faces at several budgets, to be looked at.

    .venv/bin/python docs/visibility.py photo.jpg another.jpg

Each photo is protected with the preset `fast` at every ε of `EPSILONS`, and with the authors'
settings at the last but one, for comparison; its largest face is shown.
"""

import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

import weights_convert
from tipim_jax.photos import YUNET, FaceDetector, read_photo

EPSILONS = (4, 8, 12, 16)
FACE = 260  # pixels, each way, of a face on the sheet
TITLE = 24  # pixels
OUTPUT = Path("out/visibility")
OFFICIAL = ("--preset", "economical", "--surrogate", "mobileface")


def main(photos: list[str]) -> None:
    runs = {f"fast, ε = {epsilon}": ("--epsilon", str(epsilon)) for epsilon in EPSILONS}
    runs[f"official, ε = {EPSILONS[-2]}"] = ("--epsilon", str(EPSILONS[-2]), *OFFICIAL)
    columns = {"unprotected": [Path(photo) for photo in photos]}
    for number, (name, flags) in enumerate(runs.items()):
        folder = OUTPUT / str(number)
        command = ("-m", "tipim_jax.attack", *photos, "--output", str(folder), *flags)
        quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}  # JAX, imported here, says otherwise
        subprocess.run((sys.executable, *command, "--recogniser", "sface"), env=quiet, check=True)
        columns[name] = [folder / Path(photo).name for photo in photos]
    sheet = Image.new("RGB", (FACE * len(columns), TITLE + FACE * len(photos)), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", 13)
    detector = FaceDetector(weights_convert.obtain(YUNET))
    boxes = [detector.detect(read_photo(Path(photo)).pixels)[0].box for photo in photos]
    for column, (name, files) in enumerate(columns.items()):
        draw.text((column * FACE + 8, 5), name, fill="black", font=font)
        for row, (file, box) in enumerate(zip(files, boxes, strict=True)):
            photo = Image.open(file).convert("RGB")
            half = min(box[2:].max() * 0.6, *(side / 2 for side in photo.size))
            middle = np.clip(box[:2] + box[2:] / 2, half, np.array(photo.size) - half)
            corners = np.concatenate([middle - half, middle + half]).round().astype(int)
            face = photo.crop(tuple(map(int, corners)))
            place = column * FACE, TITLE + row * FACE
            sheet.paste(face.resize((FACE, FACE), Image.Resampling.LANCZOS), place)
    sheet.save("docs/visibility.jpg", quality=88, subsampling="4:4:4")


if __name__ == "__main__":
    main(sys.argv[1:])
