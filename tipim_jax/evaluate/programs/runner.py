"""Shows photos to a whole program, in the environment that has it: nothing of ours is imported.

    python -I runner.py PROGRAM JOB.json FOUND.npz

JOB.json: `photos`, a list of files; `files`, the program's networks by the names that it looks for;
`home`, an empty folder, where they are put if the program wants them in a place of its own.

Written is, row by row of the photos: `detected`, whether the program finds a face; `embeddings`, as
the program makes them of the face nearest the centre, NaN without one; `failed`, what is wrong with
a photo that the program cannot look at, else empty; and `about`, JSON: the program's versions,
`distance`, how it compares two embeddings, "cosine" (1 - cosine) or "euclidean", and `threshold`,
up to which distance it takes two faces for one person's. A line on stdout for each photo.

Every program runs as it comes: its own reading of files, detector, crop, network and threshold.
"""

import importlib.metadata
import inspect
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np


def _central(boxes, size) -> int:
    """Which box, (left, top, right, bottom) each, is nearest the centre of a (height, width)."""
    boxes = np.asarray(boxes, float)
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    return int(np.sum((middles - np.array(size[1::-1]) / 2) ** 2, axis=1).argmin())


def _read(path):
    """A photo as OpenCV reads it, BGR."""
    import cv2

    picture = cv2.imread(path)
    if picture is None:
        raise ValueError("OpenCV cannot read it")
    return picture


def _put(files, folder) -> None:
    """Copies files to where a program looks for them."""
    folder.mkdir(parents=True)
    for name, file in files.items():
        shutil.copyfile(file, folder / name)


# Each gives the packages that the program is, its distance and threshold, and a function that gives
# the embedding of a photo's face, None without a face.


def face_recognition(files, home):
    import face_recognition as program

    def look(path):
        picture = program.load_image_file(path)
        places = program.face_locations(picture)  # (top, right, bottom, left) each
        if not places:
            return None
        boxes = [(left, top, right, bottom) for top, right, bottom, left in places]
        return program.face_encodings(picture, [places[_central(boxes, picture.shape)]])[0]

    tolerance = inspect.signature(program.compare_faces).parameters["tolerance"].default
    return ("face_recognition", "dlib-bin"), "euclidean", tolerance, look


def deepface_sface(files, home):
    return _deepface("SFace", files, home)


def deepface_dlib(files, home):
    import face_recognition_models

    weights = Path(face_recognition_models.face_recognition_model_location())
    return _deepface("Dlib", {weights.name: weights}, home)


def _deepface(network, files, home):
    _put(files, home / ".deepface" / "weights")
    os.environ["DEEPFACE_HOME"] = str(home)
    from deepface import DeepFace
    from deepface.modules.exceptions import FaceNotDetected
    from deepface.modules.verification import find_threshold

    DeepFace.build_model(network)  # what is missing is missing for all photos

    def look(path):
        height, width = _read(path).shape[:2]
        try:
            found = DeepFace.represent(path, model_name=network)
        except FaceNotDetected:
            return None
        places = [face["facial_area"] for face in found]
        boxes = [(p["x"], p["y"], p["x"] + p["w"], p["y"] + p["h"]) for p in places]
        return found[_central(boxes, (height, width))]["embedding"]

    return ("deepface", "onnxruntime"), "cosine", find_threshold(network, "cosine"), look


def opencv_zoo(files, home):
    """As the demonstration beside the networks, models/face_recognition_sface/demo.py."""
    import cv2

    detector = cv2.FaceDetectorYN.create(files["yunet"], "", (320, 320))
    recogniser = cv2.FaceRecognizerSF.create(files["sface"], "")

    def look(path):
        picture = _read(path)
        detector.setInputSize(picture.shape[1::-1])
        found = detector.detect(picture)[1]
        if found is None:
            return None
        boxes = np.concatenate([found[:, :2], found[:, :2] + found[:, 2:4]], axis=1)
        face = found[_central(boxes, picture.shape)]
        return recogniser.feature(recogniser.alignCrop(picture, face)).copy()

    # models/face_recognition_sface/sface.py: a cosine of 0.363 or more.
    return ("opencv-contrib-python-headless", "opencv-python-headless"), "cosine", 1 - 0.363, look


def insightface(files, home):
    _put(files, home / "buffalo_s")
    from insightface.app import FaceAnalysis
    from insightface.gui.core.constants import DEFAULT_THRESHOLD  # a cosine

    program = FaceAnalysis(str(home / "buffalo_s"), providers=["CPUExecutionProvider"])
    program.prepare(ctx_id=-1)

    def look(path):
        picture = _read(path)
        found = program.get(picture)
        if not found:
            return None
        return found[_central([face.bbox for face in found], picture.shape)].embedding

    return ("insightface", "onnxruntime"), "cosine", 1 - DEFAULT_THRESHOLD, look


PROGRAMS = {
    "face_recognition": face_recognition,
    "opencv-zoo": opencv_zoo,
    "insightface": insightface,
    "deepface-sface": deepface_sface,
    "deepface-dlib": deepface_dlib,
}


def _versions(packages) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def main(name, job, output) -> None:
    # Programs print what they like; what they print is no line of ours.
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    job = json.loads(Path(job).read_text(encoding="utf-8"))
    packages, distance, threshold, look = PROGRAMS[name](job["files"], Path(job["home"]))
    embeddings, failed = [], []
    for photo in job["photos"]:
        reason, embedding = "", None
        try:
            embedding = look(photo)
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
        embeddings.append(None if embedding is None else np.asarray(embedding, float).ravel())
        failed.append(reason)
        print(len(failed), file=lines, flush=True)
    detected = np.array([embedding is not None for embedding in embeddings], bool)
    size = max((len(one) for one in embeddings if one is not None), default=1)
    rows = np.full((len(embeddings), size), np.nan)
    for row, embedding in zip(rows, embeddings, strict=True):
        if embedding is not None:
            row[:] = embedding
    about = {
        "versions": _versions(packages),
        "distance": distance,
        "threshold": float(threshold),
    }
    np.savez(
        output,
        detected=detected,
        embeddings=rows,
        failed=np.array(failed, dtype=str),
        about=json.dumps(about),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
