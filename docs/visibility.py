"""Makes docs/visibility.jpg: the same faces at several strengths, to be looked at.

    .venv/bin/python docs/visibility.py photo.jpg another.jpg

Each photo is protected with our presets, with the default of before and with the authors' settings.
Of each its largest face is shown at 100 %, a part of it where that is larger, and below the whole
photo as a phone shows it.
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

RUNS = {
    "subtle": ("--preset", "subtle"),
    "balanced": ("--preset", "balanced"),
    "strong, the default": ("--preset", "strong"),
    "fast, ε = 12": ("--preset", "fast"),
    "authors', nearest target": ("--preset", "economical", "--surrogate", "mobileface"),
}
FACE = 260  # pixels, each way, of a face on the sheet
PHONE = 130  # of a photo on it as a phone shows it
TITLE = 24  # pixels
OUTPUT = Path("out/visibility")


def main(photos: list[str]) -> None:
    columns = {"unprotected": [Path(photo) for photo in photos]}
    for number, (name, flags) in enumerate(RUNS.items()):
        folder = OUTPUT / str(number)
        command = ("-m", "tipim_jax.attack", *photos, "--output", str(folder), *flags)
        quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}  # JAX, imported here, says otherwise
        subprocess.run((sys.executable, *command, "--recogniser", "sface"), env=quiet, check=True)
        columns[name] = [folder / Path(photo).name for photo in photos]
    high = FACE + PHONE
    sheet = Image.new("RGB", (FACE * len(columns), TITLE + high * len(photos)), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", 13)
    detector = FaceDetector(weights_convert.obtain(YUNET))
    boxes = [detector.detect(read_photo(Path(photo)).pixels)[0].box for photo in photos]
    for column, (name, files) in enumerate(columns.items()):
        draw.text((column * FACE + 8, 5), name, fill="black", font=font)
        for row, (file, box) in enumerate(zip(files, boxes, strict=True)):
            photo = Image.open(file).convert("RGB")
            half = min(FACE, *photo.size) / 2
            middle = np.clip(box[:2] + box[2:] / 2, half, np.array(photo.size) - half)
            corners = np.concatenate([middle - half, middle + half]).round().astype(int)
            place = column * FACE, TITLE + row * high
            sheet.paste(photo.crop(tuple(map(int, corners))), place)
            photo.thumbnail((PHONE, PHONE), Image.Resampling.LANCZOS)
            sheet.paste(photo, (place[0], place[1] + FACE))
    sheet.save("docs/visibility.jpg", quality=88, subsampling="4:4:4")


if __name__ == "__main__":
    main(sys.argv[1:])
