"""The device report: what it reads from programs and profiles, and that nothing stops it."""

import gzip
import json
import os
import subprocess
import sys
from argparse import Namespace
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import pytest
from jax.extend.core import jaxprs_in_params

from benchmarks.device import between, hlo, protecting, report, trace
from tests.method_toy import crops, image_keys, surrogate
from tipim_jax.method import ITERATIONS_A_CALL, Layout, TipIm, advance, start

PROGRAM = """\
HloModule jit__advance, entry_computation_layout={(f32[8]{0})->f32[8]{0}}

%fused_computation (param_0: f32[8]) -> f32[8] {
  %param_0 = f32[8]{0} parameter(0)
  ROOT %add.1 = f32[8]{0} add(%param_0, %param_0)
}

%fused_computation.1 (param_0: f32[8], param_1: s32[2,1]) -> f32[2] {
  %param_0 = f32[8]{0} parameter(0)
  %param_1 = s32[2,1]{1,0} parameter(1)
  %gather.2 = f32[2]{0} gather(%param_0, %param_1), offset_dims={}, slice_sizes={1}
  ROOT %multiply.2 = f32[2]{0} multiply(%gather.2, %gather.2)
}

%fused_transpose (param_0: f32[2,4]) -> f32[4,2] {
  %param_0 = f32[2,4]{1,0} parameter(0)
  ROOT %transpose.1 = f32[4,2]{1,0} transpose(%param_0), dimensions={1,0}
}

%region_0.1 (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %add.9 = f32[] add(%a, %b)
}

%body (state: (s32[], f32[8])) -> (s32[], f32[8]) {
  %state = (s32[], /*index=1*/f32[8]{0}) parameter(0)
  %get-tuple-element.1 = f32[8]{0} get-tuple-element(%state), index=1
  %cudnn-conv.3 = (f32[1,2,2,2]{3,2,1,0}, u8[16]{0}) custom-call(%get-tuple-element.1), \
custom_call_target="__cudnn$convForward", backend_config={"force_earliest_schedule":false}
  %loop_add_fusion.4 = f32[8]{0} fusion(%get-tuple-element.1), kind=kLoop, calls=%fused_computation
  %loop_gather_fusion = f32[2]{0} fusion(%a, %b), kind=kLoop, calls=%fused_computation.1
  %transpose_fusion = f32[4,2]{1,0} fusion(%c), kind=kInput, calls=%fused_transpose
  %reduce.7 = f32[] reduce(%loop_add_fusion.4, %zero), dimensions={0}, to_apply=%region_0.1
  ROOT %tuple.1 = (s32[], f32[8]{0}) tuple(%n, %loop_add_fusion.4)
}

ENTRY %main.20 (Arg_0.1: f32[8]) -> f32[8] {
  %Arg_0.1 = f32[8]{0} parameter(0)
  %copy.1 = f32[8]{0} copy(%Arg_0.1)
  %while.5 = (s32[], f32[8]{0}) while(%tuple.9), condition=%cond, body=%body
  ROOT %get-tuple-element.9 = f32[8]{0} get-tuple-element(%while.5), index=1
}
"""


def test_kernels_of_a_program_are_counted():
    """Not what is fused into them, or applied by them to pairs."""
    assert hlo.Text(PROGRAM).counts() == {
        "fusion": 3,
        "custom call __cudnn$convForward": 1,
        "reduce": 1,
        "copy": 1,
        "while": 1,
    }


@pytest.mark.parametrize(
    ("kernel", "category"),
    [
        ("loop_add_fusion_4", hlo.ELEMENTWISE),
        ("loop_gather_fusion", hlo.GATHER),
        ("transpose_fusion", hlo.COPY),
        ("reduce_7", hlo.REDUCE),
        ("while.5", hlo.CONTROL),
        ("cudnn-conv.3", hlo.CONVOLUTION),
        # What the program does not name.
        ("sm90_xmma_fprop_implicit_gemm_bf16bf16_bf16f32_f32_nhwckrsc_nhwc", hlo.CONVOLUTION),
        ("nvjet_hsh_192x192_64x4_2x1_v_bz_coopB_NNT", hlo.CONVOLUTION),
        ("void cudnn::ops::nchwToNhwcKernel<float>", hlo.COPY),
        ("MemcpyD2D", hlo.COPY),
        ("input_scatter_fusion_2", hlo.GATHER),
        ("loop_select_fusion_9", hlo.ELEMENTWISE),
        ("loop_convert_fusion_77", hlo.ELEMENTWISE),
        ("dot_add_fusion", hlo.CONVOLUTION),
    ],
)
def test_a_kernel_has_a_category(kernel, category):
    assert hlo.Text(PROGRAM).category(kernel) == category


def written(folder, process, events):
    """A trace as JAX writes it: (thread, name, start, duration, hlo_op or None)."""
    threads = list(dict.fromkeys(event[0] for event in events))
    found = [{"ph": "M", "pid": 7, "name": "process_name", "args": {"name": process}}]
    for number, thread in enumerate(threads):
        args = {"name": thread}
        found.append(
            {"ph": "M", "pid": 7, "tid": number, "name": "thread_name", "args": args},
        )
    for thread, name, begin, duration, operation in events:
        args = {"hlo_op": operation} if operation else {}
        times = {"ts": begin, "dur": duration, "args": args}
        found.append({"ph": "X", "pid": 7, "tid": threads.index(thread), "name": name, **times})
    place = folder / "plugins" / "profile" / "then"
    place.mkdir(parents=True)
    with gzip.open(place / "vm.trace.json.gz", "wt") as stream:
        json.dump({"traceEvents": found}, stream)
    return trace.read(folder)


def test_the_streams_of_a_gpu_are_read(tmp_path):
    """Of two streams at once each counts; time in which one of them works is not idle."""
    compute, copies = "Stream #13(Compute)", "Stream #14(MemcpyD2D)"
    events = [
        (compute, "gemm", 1000, 400, None),
        (compute, "gemm", 1500, 500, "dot.3"),
        (copies, "MemcpyD2D", 1900, 300, None),
        (compute, "loop_add_fusion", 2500, 500, "add.1"),
        ("XLA Modules", "jit__advance", 0, 9000, None),
    ]
    found = trace.profile(written(tmp_path, "/device:GPU:0", events), hlo.by_name)
    assert found.categories == pytest.approx(
        {hlo.CONVOLUTION: 0.9, hlo.COPY: 0.3, hlo.ELEMENTWISE: 0.5}
    )
    assert found.kernels[0] == ("gemm", hlo.CONVOLUTION, pytest.approx(0.9), 2)
    assert found.idle == pytest.approx(0.1 + 0.3)
    assert found.whole == pytest.approx(2.0)


def test_kernels_of_one_stream_that_overlap_count_in_full(tmp_path):
    """A GPU begins the next kernel while the last blocks of one are still at work."""
    stream = "Stream #13(Compute)"
    events = [(stream, "gemm", 1000, 400, None), (stream, "loop_add_fusion", 1390, 310, None)]
    found = trace.profile(written(tmp_path, "/device:GPU:0", events), hlo.by_name)
    assert found.categories == pytest.approx({hlo.CONVOLUTION: 0.4, hlo.ELEMENTWISE: 0.31})
    assert (found.idle, found.whole) == pytest.approx((0, 0.7))


def test_of_a_loop_on_a_cpu_what_it_holds_is_taken_away(tmp_path):
    events = [
        ("worker", "while.5", 0, 1000, "while.5"),
        ("worker", "dot.1", 100, 300, "dot.1"),
        ("worker", "dot.1", 500, 300, "dot.1"),
        ("worker", "ThreadpoolListener", 0, 5000, None),
    ]
    found = trace.profile(written(tmp_path, "/host:CPU", events), hlo.by_name)
    assert found.categories == pytest.approx({hlo.CONTROL: 0.4, hlo.CONVOLUTION: 0.6})
    assert (found.idle, found.whole) == (0, 1.0)


def test_a_trace_without_kernels_says_what_it_holds(tmp_path):
    events = [("XLA Modules", "jit__advance", 0, 9000, None)]
    with pytest.raises(ValueError, match=r"no kernel; .*GPU:0: XLA Modules"):
        list(written(tmp_path, "/device:GPU:0", events))
    with pytest.raises(ValueError, match=r"no \*\.trace\.json\.gz"):
        list(trace.read(tmp_path / "elsewhere"))


def options(tmp_path, **changed):
    given = {
        **{"minutes": 8.0, "devices": [], "part": None, "json": str(tmp_path / "report.json")},
        **{"markdown": str(tmp_path / "report.md")},
    }
    return Namespace(**given | changed)


def test_a_part_that_there_is_not_is_named_at_once(tmp_path):
    with pytest.raises(SystemExit, match="--part network: expected one of ceilings, networks, "):
        report.report(options(tmp_path, part=["ceilings", "network"]))


def test_what_is_measured_is_written_whatever_comes_after(tmp_path, monkeypatch, capsys):
    """After every part; one that fails and one that would take too long cost the others nothing."""
    seen = []

    def ceiling():
        return [{"what": "product", "value": 3.5, "unit": "TFLOP/s"}]

    def failing():
        seen.append((tmp_path / "report.md").read_text())
        raise RuntimeError("out of memory")

    def parts(options, devices, rows):
        return [
            report.Part("ceilings", "ceilings", 1, ceiling),
            report.Part("networks", "irse50", 1, failing),
            report.Part("networks", "for hours", 10_000, failing),
            report.Part("ceilings", "again", 1, ceiling),
        ]

    monkeypatch.setattr(report, "_parts", parts)
    report.report(options(tmp_path))
    assert "| product | 3.5 | TFLOP/s |" in seen[0] and len(seen) == 1
    rows = json.loads((tmp_path / "report.json").read_text())["rows"]
    assert [row.get("value") for row in rows] == [3.5, None, None, 3.5]
    assert "out of memory" in rows[1]["fault"] and "failing" in rows[1]["traceback"]
    assert "not begun: it takes about 10000 s" in rows[2]["fault"]
    shown = (tmp_path / "report.md").read_text()
    assert "irse50: RuntimeError('out of memory')" in shown
    assert shown in capsys.readouterr().out


@pytest.mark.thorough
def test_a_device_is_reported_on(tmp_path):
    """The whole command: two images, the smallest network, without a search."""
    stored, shown = tmp_path / "report.json", tmp_path / "report.md"
    command = (
        "--device-report --no-torch --network mobileface --mode nearest --batch 2 --devices 1 "
        f"--turns 1 --part ceilings --part networks --json {stored} --markdown {shown}"
    )
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.attack", *command.split()],
        cwd=Path(__file__).parents[1],
        env=os.environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert shown.read_text() in done.stdout
    rows = json.loads(stored.read_text())["rows"]
    assert not [row for row in rows if any("fault" in name for name in row)]
    row = next(row for row in rows if row["part"] == "networks")
    assert row["batch"] == 2 and row["speed"] > 0 and row["compile"] > row["compile_cached"] > 0
    assert 0 < row["of_product"] < 1.5 and row["of_floor"] > 0 and row["program_memory"]["temp"] > 0
    times = row["profile"]
    assert sum(times["categories"].values()) == pytest.approx(
        times["whole"] - times["idle"], rel=0.2
    )
    assert times["categories"][hlo.CONVOLUTION] > times["categories"].get(hlo.COPY, 0)
    assert row["kernels"]["fusion"] > 50 and len(times["kernels"]) == 10


@pytest.mark.thorough
def test_the_product_is_measured():
    """Masks alone, and file to file; two faces and two chunks of iterations."""
    method = replace(TipIm.strong(), iterations=10)
    protector = protecting.protector(["mobileface"], method)
    alone = protecting.alone(protector, 2)
    assert (alone["faces"], alone["batch"], alone["random_weights"]) == (2, 2, [])
    assert alone["first_iterations"] > alone["first_iterations_cached"] > 0
    assert alone["compile"] > alone["compile_cached"] and alone["speed"] > 0
    assert alone["profile"]["categories"][hlo.CONVOLUTION] > 0
    files = protecting.files(protector, 2)
    assert files["files"] == files["written"] == files["faces"] == 2 and not files["missed"]
    assert 0 <= files["waiting"] < files["seconds"]


def gathers(jaxpr, within=False):
    """(whether in a loop, array) of everything that a program gathers from all devices."""
    for equation in jaxpr.eqns:
        loop = within or equation.primitive.name in ("while", "scan")
        for inner in jaxprs_in_params(equation.params):
            yield from gathers(inner, loop)
        if equation.primitive.name == "all_gather":
            yield within, equation.outvars[0].aval


@pytest.mark.parametrize("group", [1, 2])
def test_devices_receive_what_the_program_gathers(group):
    """Of a pair of images each of which has a device of its own."""
    settings = TipIm(mmd_group_size=group, gamma=1.0, target_choice="nearest", views=0)
    devices = jax.local_devices()[:2]
    if len(devices) < 2:
        pytest.skip("one device")
    layout = Layout(tuple(devices), 1, 1)
    surrogates, images = (surrogate(),), crops(2)
    keys = image_keys(1, 2)
    begin = partial(start, settings=settings, layout=layout)
    problem, state = jax.eval_shape(begin, surrogates, images, crops(3), keys)
    go_on = partial(advance, settings=settings, count=ITERATIONS_A_CALL, layout=layout)
    program = jax.make_jaxpr(go_on)(surrogates, problem, state)
    found = {True: 0, False: 0}
    for within, array in gathers(program.jaxpr):
        found[within] += array.size * array.dtype.itemsize // 2  # half of it was there before
    expected = between.received(settings, len(images), images.shape[1:3], len(devices))
    assert (found[False], found[True]) == expected


def test_devices_receive_nothing_without_mmd():
    assert between.received(TipIm.paper(), 64, (224, 224), 8) == (0, 0)
    assert between.received(TipIm.reproduction(), 64, (224, 224), 8) == (0, 0)


def test_each_device_gathers_the_images_of_all_others():
    grouped = replace(TipIm.paper(), gamma=0.5)
    call, iteration = between.received(grouped, 64, (224, 224), 8)
    assert iteration == 56 * (224 * 224 * 3 * 4 + 8) and call == 56 * (224 * 224 * 3 * 4 + 5)
