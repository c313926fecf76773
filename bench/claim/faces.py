#!/usr/bin/env python3
"""Real customers: trains them as measure.py trains rendered ones, and has a face recogniser compare the pictures with
the photos. Needs OpenCV for Python (Debian: python3-opencv) and the folder of assets in ATELIER_ASSETS: photos of four
people and of anybody, and the detector and recogniser, whose weights are for research alone. Other options are those of
measure.py. Writes faces.json and faces.md.

Of each method and weight it tells in how many pictures a face is found, the mean cosine of those faces and the
customer's (of vectors of length 1, the customer's the mean over their photos), and how many are the same person by the
recogniser's threshold.
"""
import json
import os
import statistics
import sys
from pathlib import Path

import cv2
import numpy as np

from measure import GRID, METHODS, Bench, arguments

SAME_PERSON = 0.34  # cosine
SHORTEST_SIDE = 320  # px; smaller pictures are enlarged for the detector
# Deng et al. 2019, "ArcFace": where the right eye, left eye, nose and corners of the mouth are to lie, of 112 x 112
TEMPLATE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655],
                     [70.7299, 92.2041]], np.float32)


class Recogniser:
    def __init__(self, models):
        self.detector = cv2.FaceDetectorYN.create(str(models / "yunet/face_detection_yunet_2022mar.onnx"), "", (320, 320),
                                                  score_threshold=0.6)
        self.net = cv2.dnn.readNetFromCaffe(str(models / "mobilefacenet/mobilefacenet_y1.prototxt"),
                                            str(models / "mobilefacenet/mobilefacenet_y1.caffemodel"))

    def vector(self, file):
        """Of the surest face, of length 1; None where none is found."""
        picture = cv2.imread(str(file))
        scale = SHORTEST_SIDE / min(picture.shape[:2])
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        self.detector.setInputSize((picture.shape[1], picture.shape[0]))
        faces = self.detector.detect(picture)[1]
        if faces is None:
            return None
        points = faces[faces[:, -1].argmax(), 4:14].reshape(5, 2)
        turn, _ = cv2.estimateAffinePartial2D(points, TEMPLATE, method=cv2.LMEDS)
        if turn is None:
            return None
        face = cv2.warpAffine(picture, turn, (112, 112))
        self.net.setInput(cv2.dnn.blobFromImage(face, 1 / 128, (112, 112), (127.5, 127.5, 127.5), swapRB=True))
        found = self.net.forward().ravel()
        return found / np.linalg.norm(found)


class RealBench(Bench):
    def __init__(self, options, assets):
        super().__init__(options)
        self.assets = assets
        self.recogniser = Recogniser(assets / "models")

    def photos(self):
        folders = [p for p in sorted((self.assets / "photos/customers").iterdir()) if p.is_dir()]
        return {p.name: (p, "person") for p in folders[: self.o.customers]}

    def references(self):
        found = {}
        for name, (photos, _) in self.photos().items():
            vectors = [v for v in map(self.recogniser.vector, sorted(photos.glob("*.jpg"))) if v is not None]
            mean = np.mean(vectors, axis=0)
            found[name] = mean / np.linalg.norm(mean)
        return found

    def measure(self, weights):
        """One row a picture, by method: the cosine, or None where no face is found."""
        folder = self.draw(weights)
        rows = {m: [] for m in weights}
        for method in weights:
            for name in self.photos():
                for seed in range(self.o.seeds):
                    for picture in sorted((folder / f"{name}-s{seed}" / method).glob("*.png")):
                        vector = self.recogniser.vector(picture)
                        rows[method].append(None if vector is None else float(vector @ self.reference[name]))
        return rows


def told(rows):
    faces = [r for r in rows if r is not None]
    return {"pictures": len(rows), "faces": len(faces), "cosine": statistics.mean(faces) if faces else None,
            "same": sum(f > SAME_PERSON for f in faces)}


def main():
    if not os.environ.get("ATELIER_ASSETS"):
        sys.exit("ATELIER_ASSETS does not name the folder of assets")
    bench = RealBench(arguments(__doc__).parse_args(), Path(os.environ["ATELIER_ASSETS"]).resolve())
    bench.render_style_and_random()
    bench.reference = bench.references()
    bench.write_batch(random_photos=bench.assets / "photos/random")
    curves = {m: {} for m in METHODS}
    for weight in GRID:
        for method, rows in bench.measure({m: weight for m in METHODS}).items():
            curves[method][weight] = told(rows)
    (bench.out / "faces.json").write_text(json.dumps({"settings": bench.o.set, "curves": curves}, indent=1) + "\n")
    lines = ["| | weight | a face is found | cosine | the same person |", "| --- | --- | --- | --- | --- |"]
    for method, curve in curves.items():
        for weight, t in curve.items():
            cosine = "" if t["cosine"] is None else f"{t['cosine']:.3f}"
            lines.append(f"| {method} | {weight:g} | {t['faces']} of {t['pictures']} | {cosine} | {t['same']} |")
    (bench.out / "faces.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
