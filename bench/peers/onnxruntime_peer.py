"""ONNX Runtime from Python with its defaults, on the graphs of export_onnx.py, as a peer:

    onnxruntime_peer.py GRAPHS [--size 512] [--threads N]
"""

import argparse
import pathlib

import onnxruntime

from protocol import inputs, serve

parser = argparse.ArgumentParser()
parser.add_argument("graphs", type=pathlib.Path)
parser.add_argument("--size", type=int, default=512)
parser.add_argument("--threads", type=int)
arguments = parser.parse_args()
feeds = inputs(arguments.size // 8)
sessions = {}
options = onnxruntime.SessionOptions()
if arguments.threads is not None:
    options.intra_op_num_threads = arguments.threads


def load(name):
    path = str(arguments.graphs / f"{name}.onnx")
    sessions[name] = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run(name):
    return sessions[name].run(None, feeds[name])[0]


serve({"onnxruntime": onnxruntime.__version__}, load, run)
