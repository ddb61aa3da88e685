"""How a recogniser looks at a face in a photo: values, which `photos.windows` looks through.

A region is (top, left, bottom, right) in pixels of the canonical crop, 112 × 112, whose corners are
at whole numbers; it may reach out of the crop. Where a detector puts its box about a face is given
as the region that the box is in that face's crop: size and place go with the five points, and so
with the face, however large it is and wherever in the photo.
"""

from dataclasses import dataclass

Region = tuple[float, float, float, float]

CROP_SIZE = (112, 112)
WHOLE_CROP: Region = (0.0, 0.0, 112.0, 112.0)

# Where OpenCV's Haar cascades put their square, each run as the program does that uses it: medians
# of 210 photos of people who do not exist and 423 of LFW, in 98 % of which they find the face. For
# half of them the side is within 4 % of this (for nine tenths within 12 %: the cascades' scales are
# a tenth apart), and the centre within 1 % of the side (3 %).
HAAR: Region = (14.8, 7.6, 113.1, 105.9)  # haarcascade_frontalface_default.xml: DeepFace
HAAR_ALT2: Region = (15.7, 9.0, 110.6, 103.9)  # haarcascade_frontalface_alt2.xml: keras-facenet


@dataclass(frozen=True, kw_only=True)
class Window:
    """What every kind of window has.

    Attributes:
      region: Part of the canonical crop that the network is shown where there is a crop and no
        photo; it fills the input.
    """

    region: Region = WHOLE_CROP


@dataclass(frozen=True, kw_only=True)
class FivePoints(Window):
    """`region` of the canonical crop, whose five points are where ArcFace's template has them."""


@dataclass(frozen=True, kw_only=True)
class Chips(Window):
    """dlib's face chips (get_face_chip_details): square, by a template of its own.

    Attributes:
      padding: Share of the template's side that is added on each side.
    """

    padding: float = 0.25


@dataclass(frozen=True, kw_only=True)
class Box(Window):
    """A detector's box, which fills the input.

    Attributes:
      place: Region of the canonical crop that the box covers before it is turned; None for the box
        of our own detector, YuNet, which is MTCNN's too: on the photos that `HAAR` was measured on
        its sides are 1.5 % larger, for half of them within 2.5 % of that (for nine tenths 6 %), its
        centre within 1 % of the side (3 %).
      margin: Share of the box's sides by which they grow, half of it on each side.
      turned: Whether the line of the eyes is level in it; else its sides are the photo's.
      letterbox: Whether it keeps its shape, with black bars where the input's is another; else it
        is stretched.
    """

    place: Region | None = None
    margin: float = 0.0
    turned: bool = False
    letterbox: bool = False


FIVE_POINTS = FivePoints()
# DeepFace by default: the cascade's box, the photo turned by the eyes, black bars.
EYES = Box(place=HAAR, turned=True, letterbox=True)
# Windows that belong to no single network.
WINDOWS: dict[str, Window] = {
    "five-points": FIVE_POINTS,
    "eyes": EYES,
    # FaceNet's programs: MTCNN with a margin of 32 pixels of 160.
    "box": Box(margin=0.25),
    # What libraries in browsers cut out: hair, ears and chin are in it.
    "loose-box": Box(place=HAAR, margin=0.5),
    "chips": Chips(),
}
