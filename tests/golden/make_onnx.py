"""Writes the tiny models of tests/ffi into tests/golden/onnx.

    python tests/golden/make_onnx.py

Made with onnx 1.23.2; opset 17, IR version 8.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OUT = Path(__file__).parent / "onnx"


def save(name, nodes, inputs, outputs, initializers=(), metadata=None, graph="main"):
    model = helper.make_model(
        helper.make_graph(nodes, graph, inputs, outputs, list(initializers)),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
        producer_name="make_onnx",
    )
    if metadata:
        model.domain, model.doc_string, model.model_version = "test", "x @ w + b", 7
        helper.set_model_props(model, metadata)
    onnx.checker.check_model(model)
    (OUT / f"{name}.onnx").write_bytes(model.SerializeToString())


def info(name, dtype, shape):
    return helper.make_tensor_value_info(name, dtype, shape)


def linear():
    """y [N, 2] = x [N, 3] @ w + b, and twice [N, 3] = x + x; b may be fed."""
    w = numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(3, 2), "w")
    b = numpy_helper.from_array(np.array([10, 20], np.float32), "b")
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["p"]),
        helper.make_node("Add", ["p", "b"], ["y"]),
        helper.make_node("Add", ["x", "x"], ["twice"]),
    ]
    f = TensorProto.FLOAT
    save(
        "linear",
        nodes,
        [info("x", f, ["N", 3]), info("b", f, [2])],
        [info("y", f, ["N", 2]), info("twice", f, ["N", 3])],
        [w, b],
        {"author": "nobody", "note": "größe"},
    )


def fixed():
    """sum [2, 2] = left [2, 2] + right [2, 2]."""
    f = TensorProto.FLOAT
    save(
        "add",
        [helper.make_node("Add", ["left", "right"], ["sum"])],
        [info("left", f, [2, 2]), info("right", f, [2, 2])],
        [info("sum", f, [2, 2])],
    )


def identities():
    """One model a type: y = x, of any rank-1 length."""
    types = {
        "float32": TensorProto.FLOAT, "uint8": TensorProto.UINT8, "int8": TensorProto.INT8,
        "uint16": TensorProto.UINT16, "int16": TensorProto.INT16, "int32": TensorProto.INT32,
        "int64": TensorProto.INT64, "string": TensorProto.STRING, "bool": TensorProto.BOOL,
        "float16": TensorProto.FLOAT16, "float64": TensorProto.DOUBLE,
        "uint32": TensorProto.UINT32, "uint64": TensorProto.UINT64,
        "bfloat16": TensorProto.BFLOAT16,
    }
    for name, dtype in types.items():
        save(
            f"identity_{name}",
            [helper.make_node("Identity", ["x"], ["y"])],
            [info("x", dtype, ["n"])],
            [info("y", dtype, ["n"])],
        )


def loop():
    """y [64, 64] = x halved `count` times by MatMul with I/2, one small step at a time: can be stopped."""
    f, i, b = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
    half = numpy_helper.from_array(np.eye(64, dtype=np.float32) / 2, "half")
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["state", "half"], ["next"]),
            helper.make_node("Identity", ["go"], ["again"]),
        ],
        "body",
        [info("step", i, []), info("go", b, []), info("state", f, [64, 64])],
        [info("again", b, []), info("next", f, [64, 64])],
    )
    save(
        "loop",
        [helper.make_node("Loop", ["count", "", "x"], ["y"], body=body)],
        [info("count", i, []), info("x", f, [64, 64])],
        [info("y", f, [64, 64])],
        [half],
    )


def external():
    """y [2] = x [2] + w, where w lies in the file external.bin."""
    w = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2])
    w.data_location = TensorProto.EXTERNAL
    for key, value in {"location": "external.bin", "offset": "4", "length": "8"}.items():
        w.external_data.add(key=key, value=value)
    (OUT / "external.bin").write_bytes(np.array([-1, 100, 200], np.float32).tobytes())
    f = TensorProto.FLOAT
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("Add", ["x", "w"], ["y"])],
            "external",
            [info("x", f, [2])],
            [info("y", f, [2])],
            [w],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    (OUT / "external.onnx").write_bytes(model.SerializeToString())


def sequence():
    """An output that is no tensor."""
    f = TensorProto.FLOAT
    save(
        "sequence",
        [helper.make_node("SequenceConstruct", ["x"], ["y"])],
        [info("x", f, ["n"])],
        [helper.make_tensor_sequence_value_info("y", f, ["n"])],
    )


def scalar():
    """y = x * x, of rank 0."""
    f = TensorProto.FLOAT
    save(
        "scalar",
        [helper.make_node("Mul", ["x", "x"], ["y"])],
        [info("x", f, [])],
        [info("y", f, [])],
    )


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    for make in [linear, fixed, identities, loop, external, sequence, scalar]:
        make()
