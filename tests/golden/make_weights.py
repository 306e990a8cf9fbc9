"""Makes tests/golden/weights/: torch and safetensors files, and expected.json with their values.

    python tests/golden/make_weights.py        (torch, safetensors, numpy; the versions go into expected.json)
"""
import collections, json, os, pickle, struct, sys, types, zipfile
import numpy, torch, safetensors
from safetensors.torch import save_file

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "weights")
os.makedirs(OUT, exist_ok=True)
g = torch.Generator().manual_seed(7)
rand = lambda *shape: torch.randn(*shape, generator=g)
NAMES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64", torch.int64: "I64",
         torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL", torch.uint16: "U16",
         torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2"}
expected = {}

def number(x):
    """JSON has no infinities; these texts are what JavaScript's Number understands."""
    return x if x == x and abs(x) != float("inf") else "NaN" if x != x else "Infinity" if x > 0 else "-Infinity"

def record(file, tensors, metadata=None):
    expected[file] = {"tensors": {
        name: {"dtype": NAMES[t.dtype], "shape": list(t.shape),
               "float32": [number(x) for x in t.detach().float().flatten().tolist()]}
        for name, t in tensors.items()}, "metadata": metadata or {}}

def save(file, value, **options):
    torch.save(value, os.path.join(OUT, file), **options)

# Every dtype, and every way to lie in a storage.
base = rand(4, 6)
dtypes = {
    "f32": rand(2, 3), "f16": (rand(2, 3) * 100).half(), "bf16": rand(5).bfloat16(), "f64": rand(3).double(),
    "i64": torch.tensor([-1, 2**40, 3]), "i32": torch.arange(4, dtype=torch.int32), "i16": torch.tensor([-5, 6], dtype=torch.int16),
    "i8": torch.tensor([-128, 127], dtype=torch.int8), "u8": torch.tensor([0, 255], dtype=torch.uint8),
    "bool": torch.tensor([True, False, True]), "u16": torch.tensor([1, 65535], dtype=torch.uint16),
    "f8a": torch.tensor([0.0, 1.0, -1.5, 448.0, 0.001953125]).to(torch.float8_e4m3fn),
    "f8b": torch.tensor([0.0, 1.0, -1.5, 57344.0, float("inf")]).to(torch.float8_e5m2),
    "scalar": torch.tensor(2.5), "empty": torch.zeros(0, 3),
}
views = {
    "whole": base, "row": base[1], "columns": base[:, 2:4], "transposed": base.t(), "step": base[::2, ::3],
    "permuted": rand(2, 3, 4).permute(2, 0, 1), "parameter": torch.nn.Parameter(rand(3)), "one": base[2:3, :].t().t(),
}
save("dtypes.pt", dtypes); record("dtypes.pt", dtypes)
save("views.bin", views); record("views.bin", views)
save("protocol4.pt", dtypes, pickle_protocol=4); record("protocol4.pt", dtypes)

# A checkpoint as PyTorch Lightning leaves it: the class ModelCheckpoint is a key, numpy's numbers are values.
home = "pytorch_lightning.callbacks.model_checkpoint"
for part in ("pytorch_lightning", "pytorch_lightning.callbacks", home): sys.modules[part] = types.ModuleType(part)
ModelCheckpoint = type("ModelCheckpoint", (), {"__module__": home})
sys.modules[home].ModelCheckpoint = ModelCheckpoint
module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2))
with torch.no_grad():
    for p in module.parameters(): p.copy_(rand(*p.shape))
state = collections.OrderedDict(("model." + k, v) for k, v in module.state_dict().items())
state._metadata = module.state_dict()._metadata
save("lightning.ckpt", {
    "epoch": 3, "global_step": 470000, "pytorch-lightning_version": "1.4.2", "state_dict": state,
    "callbacks": {ModelCheckpoint: {"monitor": "val/loss", "best_model_score": rand(1)[0], "current": numpy.float64(0.25)}},
    "optimizer_states": [{"state": {0: {"step": 1, "exp_avg": rand(2)}}, "param_groups": [{"lr": 1e-4, "betas": (0.9, 0.999)}]}],
    "best": numpy.float64(0.125), "seen": numpy.int64(12), "tags": {"a", "b"}, "big": 2**70, "none": None, "size": torch.Size([2, 3]),
    "counts": collections.defaultdict(int, {"x": 1})})
record("lightning.ckpt", state, {"epoch": "3", "global_step": "470000", "pytorch-lightning_version": "1.4.2", "best": "0.125",
                                 "seen": "12", "big": str(2**70)})

# Embeddings of textual inversion: A1111's and the first implementation's.
vectors = rand(2, 4)
a1111 = {"string_to_token": {"*": 265}, "string_to_param": {"*": vectors}, "name": "thing", "step": 500, "sd_checkpoint": None}
save("embedding.pt", a1111)
record("embedding.pt", {"string_to_param.*": vectors}, {"string_to_token.*": "265", "name": "thing", "step": "500"})

class ParameterDict:  # as torch 1.x pickled it: a module whose state holds `_parameters`
    __module__ = "torch.nn.modules.container"
    __qualname__ = "ParameterDict"
torch.nn.modules.container.ParameterDict, real = ParameterDict, torch.nn.modules.container.ParameterDict
old = ParameterDict(); old.__dict__ = {"training": True, "_parameters": collections.OrderedDict({"*": torch.nn.Parameter(vectors)}), "_buffers": {}}
save("embedding_module.pt", {"string_to_token": {"*": 265}, "string_to_param": old})
torch.nn.modules.container.ParameterDict = real
record("embedding_module.pt", {"string_to_param.*": vectors}, {"string_to_token.*": "265"})

# Files to refuse.
save("legacy.pt", {"a": rand(2)}, _use_new_zipfile_serialization=False)
class Evil:
    def __reduce__(self): return (os.system, ("echo pwned",))
save("evil.pt", {"a": rand(2), "b": Evil()})
save("module.pt", module)
save("expanded.pt", {"a": rand(1).expand(100000)})
with zipfile.ZipFile(os.path.join(OUT, "dtypes.pt")) as old, zipfile.ZipFile(os.path.join(OUT, "compressed.pt"), "w", zipfile.ZIP_DEFLATED) as new:
    for name in old.namelist(): new.writestr(zipfile.ZipInfo(name), old.read(name), zipfile.ZIP_DEFLATED)

# What the reference implementation of safetensors writes.
plain = {k: v.contiguous() for k, v in dtypes.items()}
plain["z/ü"] = rand(1)
save_file(plain, os.path.join(OUT, "plain.safetensors"), metadata={"format": "pt"})
record("plain.safetensors", plain, {"format": "pt"})
half = torch.arange(65536, dtype=torch.int32).to(torch.uint16).view(torch.float16)
wide = half.float().view(torch.int32)
checksum = 0
for bits, h in zip(wide.tolist(), half.tolist()):
    checksum = (checksum * 31 + (0 if h != h else bits & 0xffffffff)) % 2**32
expected["half_checksum"] = checksum
f8 = torch.arange(256, dtype=torch.int32).to(torch.uint8)
expected["float8"] = {n: [number(x) for x in f8.view(d).float().tolist()] for n, d in (("F8_E4M3", torch.float8_e4m3fn), ("F8_E5M2", torch.float8_e5m2))}
expected["versions"] = {"torch": torch.__version__, "safetensors": safetensors.__version__, "numpy": numpy.__version__}
with open(os.path.join(OUT, "expected.json"), "w") as file:
    file.write("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in expected.items()) + "\n}\n")
os.chmod(os.path.join(OUT, "plain.safetensors"), 0o644)
