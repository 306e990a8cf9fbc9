"""Results and gradients of single operations by PyTorch, for tests/graph/ops_test.ts.

Run: python make_graph_ops.py    writes graph_ops.json beside itself.
"""

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

torch.manual_seed(0)
torch.use_deterministic_algorithms(True)
CASES = {}


def tensor(*shape, low=-2.0, high=2.0):
    """Uniform numbers with few digits, so that the file is small and float32 holds them exactly."""
    steps = torch.rand(shape, dtype=torch.float64) * (high - low) + low
    return ((steps * 256).round() / 256).float()


def integers(*shape, high, low=0):
    return torch.randint(low, high, shape)


def described(x):
    name = str(x.dtype).removeprefix("torch.")
    values = x.detach().flatten().tolist()
    if x.dtype.is_floating_point:
        values = [float(f"{value:.8g}") for value in values]
    return {"dtype": name, "shape": list(x.shape), "data": [int(v) if name == "bool" else v for v in values]}


def case(name, function, *inputs):
    """Records function(*inputs), and its gradients for random cotangents."""
    assert name not in CASES, name
    leaves = [x.double().requires_grad_() if x.is_floating_point() else x for x in inputs]
    results = function(*leaves)
    results = list(results) if isinstance(results, (tuple, list)) else [results]
    record = {"inputs": [described(x) for x in inputs]}
    outputs = [y.float() if y.dtype == torch.float64 else y for y in results]
    record["outputs"] = [described(y) for y in outputs]
    wanted = [i for i, x in enumerate(leaves) if x.is_floating_point()]
    flowing = [y for y in results if y.requires_grad]
    if flowing and len(flowing) == len(results):
        cotangents = [tensor(*y.shape) for y in flowing]
        found = torch.autograd.grad(
            flowing, [leaves[i] for i in wanted], [g.double() for g in cotangents], allow_unused=True
        )
        gradients = [
            torch.zeros_like(leaves[i]) if g is None else g for i, g in zip(wanted, found)
        ]
        record["cotangents"] = [described(g) for g in cotangents]
        record["gradients"] = [described(g.float()) for g in gradients]
    CASES[name] = record


# two operands; shapes that broadcast both ways
for name, function in {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "min": torch.minimum,
    "max": torch.maximum,
}.items():
    case(name, function, tensor(2, 3), tensor(2, 3))
    case(f"{name} broadcast", function, tensor(2, 1, 3), tensor(4, 1))
case("div", torch.div, tensor(2, 3), tensor(3, low=0.5))
case("div scalar", lambda x: x / 3, tensor(2, 3))
case("pow", torch.pow, tensor(2, 3, low=0.5), tensor(2, 1))
case("cube", lambda x: x**3, tensor(5))
case("add int64", torch.add, integers(3, high=9), integers(3, high=9))
for name, function in {
    "equal": torch.eq,
    "less": torch.lt,
    "lessOrEqual": torch.le,
    "greater": torch.gt,
    "greaterOrEqual": torch.ge,
}.items():
    case(name, function, integers(2, 4, high=3), integers(4, high=3))
case("and", torch.logical_and, integers(6, high=2).bool(), integers(6, high=2).bool())
case("or", torch.logical_or, integers(6, high=2).bool(), integers(6, high=2).bool())
case("not", torch.logical_not, integers(6, high=2).bool())
case("where", torch.where, integers(3, 1, high=2).bool(), tensor(3, 4), tensor(4))

# one operand
for name, function in {
    "neg": torch.neg,
    "abs": torch.abs,
    "sign": torch.sign,
    "floor": torch.floor,
    "ceil": torch.ceil,
    "round": torch.round,
    "exp": torch.exp,
    "sin": torch.sin,
    "cos": torch.cos,
    "erf": torch.erf,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "softplus": F.softplus,
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu tanh": lambda x: F.gelu(x, approximate="tanh"),
    "quickGelu": lambda x: x * torch.sigmoid(1.702 * x),
    "leakyRelu": lambda x: F.leaky_relu(x, 0.2),
    "clip": lambda x: torch.clamp(x, -0.5, 1.0),
    "identity": lambda x: x * 1,
}.items():
    case(name, function, tensor(2, 5))
case("reciprocal", torch.reciprocal, tensor(2, 5, low=0.5))
case("sqrt", torch.sqrt, tensor(2, 5, low=0.5))
case("log", torch.log, tensor(2, 5, low=0.5))
case("cast to int64", lambda x: x.long(), tensor(6))
case("cast to float32", lambda x: x.float(), integers(6, high=9))

# reductions
case("reduceSum", torch.sum, tensor(2, 3))
case("reduceSum axes", lambda x: x.sum((0, 2)), tensor(2, 3, 4))
case("reduceMean keepDims", lambda x: x.mean((-1,), keepdim=True), tensor(2, 3, 4))
case("reduceMax", lambda x: x.amax(1), tensor(3, 4))
case("reduceMax ties", lambda x: x.amax(1), torch.tensor([[1.0, 2.0, 2.0], [0.0, 0.0, 0.0]]))
case("reduceMin", lambda x: x.amin((0, 1)), tensor(3, 4))
case("softmax", lambda x: x.softmax(-1), tensor(3, 4))
case("softmax axis", lambda x: x.softmax(1), tensor(2, 3, 2))
case("logSoftmax", lambda x: x.log_softmax(-1), tensor(3, 4))
case("argMax", lambda x: x.argmax(1), tensor(3, 4))

# matrix products
case("matMul", torch.matmul, tensor(3, 4), tensor(4, 2))
case("matMul batch", torch.matmul, tensor(2, 1, 3, 4), tensor(3, 4, 2))
case("gemm", lambda a, b, c: 0.5 * a.T @ b.T + 2 * c, tensor(4, 3), tensor(2, 4), tensor(2))
case("fusedMatMul", lambda a, b: 0.5 * a @ b.mT, tensor(2, 3, 4), tensor(5, 4))
case("fusedMatMul transA", lambda a, b: a.mT @ b, tensor(2, 4, 3), tensor(2, 4, 2))
case("linear", F.linear, tensor(2, 3, 4), tensor(5, 4), tensor(5))
case("linear matrix", F.linear, tensor(3, 4), tensor(5, 4), tensor(5))
case("linear no bias", F.linear, tensor(2, 3, 4), tensor(5, 4))

# convolutions
case("conv", lambda x, w, b: F.conv2d(x, w, b, padding=1), tensor(2, 3, 4, 5), tensor(4, 3, 3, 3), tensor(4))
case("conv stride", lambda x, w: F.conv2d(x, w, stride=2, padding=1), tensor(1, 2, 6, 5), tensor(3, 2, 3, 3))
case("conv pointwise", F.conv2d, tensor(2, 3, 2, 2), tensor(4, 3, 1, 1), tensor(4))
case("conv group dilation", lambda x, w: F.conv2d(x, w, groups=2, dilation=2, padding=(1, 2)),
     tensor(1, 4, 5, 5), tensor(2, 2, 2, 3))
case("conv asymmetric pads", lambda x, w: F.conv2d(F.pad(x, (0, 1, 0, 1)), w, stride=2),
     tensor(1, 2, 4, 4), tensor(2, 2, 3, 3))
case("conv 1d", lambda x, w: F.conv1d(x, w, padding=1), tensor(1, 2, 5), tensor(3, 2, 3))
case("convTranspose", lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, padding=1, output_padding=1),
     tensor(1, 3, 3, 2), tensor(3, 2, 3, 3), tensor(2))
case("convTranspose group", lambda x, w: F.conv_transpose2d(x, w, groups=2, dilation=2),
     tensor(1, 4, 2, 2), tensor(4, 1, 2, 2))
case("averagePool", lambda x: F.avg_pool2d(x, 2), tensor(1, 2, 4, 4))
case("averagePool pads", lambda x: F.avg_pool2d(x, 3, stride=2, padding=1), tensor(1, 2, 5, 4))

# movement
case("reshape", lambda x: x.reshape(3, 4), tensor(2, 6))
case("transpose", lambda x: x.permute(2, 0, 1), tensor(2, 3, 4))
case("expand", lambda x: x.expand(2, 3, 4), tensor(3, 1))
case("unsqueeze", lambda x: x[:, None, :, None], tensor(2, 3))
case("squeeze", lambda x: x.squeeze(1), tensor(2, 1, 3))
case("tile", lambda x: x.tile(2, 3), tensor(2, 2))
case("pixelShuffle", lambda x: F.pixel_shuffle(x, 2), tensor(1, 8, 2, 3))
case("stack", lambda a, b: torch.stack([a, b], 1), tensor(2, 3), tensor(2, 3))
case("concat", lambda a, b: torch.cat([a, b], 1), tensor(2, 1), tensor(2, 3))
case("split", lambda x: x.split([1, 3], 1), tensor(2, 4))
case("split one part used", lambda x: x.split([1, 3], 1)[1], tensor(2, 4))
case("slice", lambda x: x[:, 1:3], tensor(2, 4))
case("slice steps", lambda x: x[1::2, ::3], tensor(4, 7))
case("slice backwards", lambda x: x.flip(1)[:, 1::2], tensor(2, 6))
case("pad", lambda x: F.pad(x, (1, 2, 0, 1), value=0.5), tensor(2, 3))
case("pad reflect", lambda x: F.pad(x.detach(), (1, 2), mode="reflect"), tensor(2, 4))
case("pad edge", lambda x: F.pad(x.detach(), (1, 2), mode="replicate"), tensor(2, 4))
case("resizeNearest", lambda x: F.interpolate(x, scale_factor=2, mode="nearest"), tensor(1, 2, 2, 3))
case("resizeNearest size", lambda x: F.interpolate(x.detach(), (5, 4), mode="nearest"), tensor(1, 2, 2, 3))
case("resizeLinear", lambda x: F.interpolate(x.detach(), (5, 4), mode="bilinear"), tensor(1, 1, 3, 3))
case("resizeLinear corners", lambda x: F.interpolate(x.detach(), (5, 4), mode="bilinear", align_corners=True),
     tensor(1, 1, 3, 3))
case("resizeCubic", lambda x: F.interpolate(x.detach(), (5, 4), mode="bicubic"), tensor(1, 1, 3, 3))

# indices
case("gather", lambda x, i: x[i], tensor(5, 3), torch.tensor([[0, 4], [4, 1]]))
case("gather axis", lambda x, i: x[:, i], tensor(2, 4, 3), torch.tensor([3, 0, 3]))
case("gatherElements", lambda x, i: x.gather(1, i), tensor(2, 4), torch.tensor([[3, 3], [0, 1]]))
case("gatherND", lambda x, i: x[i[:, 0], i[:, 1]], tensor(2, 3, 2), torch.tensor([[0, 2], [1, 0], [0, 2]]))
case("scatterND", lambda x, i, u: x.index_put((i[:, 0],), u), tensor(4, 2), torch.tensor([[2], [0]]), tensor(2, 2))
case("scatterND add", lambda x, i, u: x.index_put((i[:, 0],), u, accumulate=True),
     tensor(4, 2), torch.tensor([[2], [2]]), tensor(2, 2))
case("scatterElements", lambda x, i, u: x.scatter(1, i, u), tensor(2, 4), torch.tensor([[3, 0], [0, 1]]), tensor(2, 2))
case("scatterElements add", lambda x, i, u: x.scatter_add(1, i, u),
     tensor(2, 4), torch.tensor([[3, 3], [0, 1]]), tensor(2, 2))
case("shapeOf", lambda x: torch.tensor(x.shape), tensor(2, 4))
case("range", lambda x: torch.arange(1, int(x), 2), torch.tensor(6))
case("triangleLower", torch.tril, tensor(3, 4))
case("triangleUpper", torch.triu, tensor(3, 4))

# normalizations and attention
case("layerNormalization", lambda x, s, b: F.layer_norm(x, (4,), s, b), tensor(2, 3, 4), tensor(4), tensor(4))
case("layerNormalization axes", lambda x, s: F.layer_norm(x, (3, 4), s, eps=1e-6), tensor(2, 3, 4), tensor(3, 4))
case("instanceNormalization", lambda x, s, b: F.instance_norm(x, weight=s, bias=b),
     tensor(2, 3, 2, 4), tensor(3), tensor(3))
case("groupNormalization", lambda x, s, b: F.group_norm(x, 2, s, b, eps=1e-6),
     tensor(2, 4, 2, 3), tensor(4), tensor(4))


def attention(q, k, v, heads, **options):
    q, k, v = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, **options).transpose(1, 2).flatten(2)


case("attention", lambda q, k, v: attention(q, k, v, 2), tensor(2, 3, 8), tensor(2, 5, 8), tensor(2, 5, 8))
case("attention scale", lambda q, k, v: attention(q, k, v, 1, scale=0.3),
     tensor(1, 3, 4), tensor(1, 2, 4), tensor(1, 2, 6))
case("attention causal", lambda q, k, v: attention(q, k, v, 2, is_causal=True),
     tensor(2, 4, 4), tensor(2, 4, 4), tensor(2, 4, 4))
case("attention self", lambda x: attention(x, x, x, 2), tensor(1, 4, 4))
case("attention bool mask", lambda q, k, v, m: attention(q, k, v, 2, attn_mask=m[:, None, None, :]),
     tensor(2, 3, 4), tensor(2, 4, 4), tensor(2, 4, 4),
     torch.tensor([[True, True, False, True], [True, False, False, False]]))
case("attention float mask", lambda q, k, v, m: attention(q, k, v, 2, attn_mask=m),
     tensor(2, 3, 4), tensor(2, 4, 4), tensor(2, 4, 4), tensor(3, 4))
case("argTopK", lambda x: x.topk(2, 1).indices, tensor(2, 5, 2))
case("argTopK smallest", lambda x: x.topk(3, largest=False).indices, tensor(2, 5))

PATH = Path(__file__).with_name("graph_ops.json")
versions = {"torch": torch.__version__, "numpy": np.__version__}
lines = [f"{json.dumps(name)}: {json.dumps(record, separators=(',', ':'))}" for name, record in CASES.items()]
PATH.write_text('{"versions": ' + json.dumps(versions) + ',\n"cases": {\n' + ",\n".join(lines) + "\n}}\n")
print(len(CASES), "cases,", PATH.stat().st_size, "bytes")
