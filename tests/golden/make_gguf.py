"""Makes tests/golden/gguf/: a file with a tensor in each format, and expected.json with the float32 values.

    python tests/golden/make_gguf.py      (gguf, numpy; the values are those of gguf's own dequantize)
"""
import importlib.metadata, json, os
import gguf, numpy as np
from gguf import GGMLQuantizationType as T, GGUFWriter, GGML_QUANT_SIZES, quants

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gguf")
os.makedirs(OUT, exist_ok=True)
r = np.random.default_rng(11)
expected = {"versions": {"gguf": importlib.metadata.version("gguf"), "numpy": np.__version__}, "tensors": {}}
w = GGUFWriter(f"{OUT}/formats.gguf", "sd1")
w.add_string("general.name", "tiny"); w.add_uint32("sd.answer", 42); w.add_array("list", [1, 2])
HALVES = {T.Q4_0: (0,), T.Q4_1: (0, 2), T.Q5_0: (0,), T.Q5_1: (0, 2), T.Q8_0: (0,), T.Q2_K: (80, 82), T.Q3_K: (108,), T.Q4_K: (0, 2), T.Q5_K: (0, 2), T.Q6_K: (208,)}

def record(name, dtype, shape, values):
    expected["tensors"][name] = {"dtype": dtype, "shape": list(shape), "values": [float(x) for x in np.asarray(values, np.float32).flatten()]}

for kind, halves in HALVES.items():
    elements, size = GGML_QUANT_SIZES[kind]
    raw = r.integers(0, 256, (2, 2 * size), dtype=np.uint8)          # 2 rows of 2 blocks: every bit pattern may occur
    blocks = raw.reshape(4, size)
    for at in halves: blocks[:, at:at + 2] = (r.standard_normal((4, 1)) * 0.05).astype(np.float16).view(np.uint8)
    w.add_tensor(f"model.{kind.name}", raw, raw_dtype=kind)
    record(f"model.{kind.name}", "F16", (2, 2 * elements), quants.dequantize(raw, kind))
conv = r.standard_normal((2, 3, 3, 32)).astype(np.float32)            # 4 sizes, of which the file keeps 2 and a note
packed = quants.quantize(conv.reshape(-1, 32), T.Q8_0)
w.add_tensor("model.conv", packed, raw_dtype=T.Q8_0); w.add_array("comfy.gguf.orig_shape.model.conv", list(conv.shape))
record("model.conv", "F16", conv.shape, quants.dequantize(packed, T.Q8_0))
plain = r.standard_normal((3, 5)).astype(np.float32)
w.add_tensor("f32", plain); record("f32", "F32", plain.shape, plain)
w.add_tensor("f16", plain.astype(np.float16)); record("f16", "F16", plain.shape, plain.astype(np.float16))
bf16 = quants.quantize(plain, T.BF16)
w.add_tensor("bf16", bf16, raw_dtype=T.BF16); record("bf16", "BF16", plain.shape, quants.dequantize(bf16, T.BF16))
w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()
with open(f"{OUT}/expected.json", "w") as f: f.write(json.dumps(expected) + "\n")
