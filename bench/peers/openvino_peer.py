"""OpenVINO from Python on the graphs of export_onnx.py, as a peer:

    openvino_peer.py GRAPHS [--size 512] [--dtype f32] [--threads N]
"""

import argparse
import pathlib

import openvino

from protocol import inputs, serve

parser = argparse.ArgumentParser()
parser.add_argument("graphs", type=pathlib.Path)
parser.add_argument("--size", type=int, default=512)
parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
parser.add_argument("--threads", type=int)
arguments = parser.parse_args()
feeds = inputs(arguments.size // 8)
core = openvino.Core()
networks = {}
config = {"INFERENCE_PRECISION_HINT": arguments.dtype, "PERFORMANCE_HINT": "LATENCY"}
if arguments.threads is not None:
    config["INFERENCE_NUM_THREADS"] = arguments.threads


def load(name):
    model = core.read_model(arguments.graphs / f"{name}.onnx")
    networks[name] = core.compile_model(model, "CPU", config)


def run(name):
    return networks[name](feeds[name])[0]


serve({"openvino": openvino.__version__.partition("-")[0]}, load, run)
