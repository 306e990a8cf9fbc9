"""Goldens of IP-Adapter FaceID: diffusers' picture with the tiny model of tests/golden/reference, an
adapter of random weights with its LoRA, and a face's embedding.

    python tests/golden/make_face_id.py     # writes tests/golden/face_id/

Packages: torch, diffusers 0.42.1, transformers 5, peft; the versions are in case.json.
"""
import json
import pathlib

import diffusers
import peft
import torch
import transformers
from diffusers import DDIMScheduler, StableDiffusionPipeline
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
MODEL, OUT = HERE / "reference/models/sd1", HERE / "face_id"
OUT.mkdir(exist_ok=True)
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
g = torch.Generator().manual_seed(9)
rand = lambda *shape: torch.randn(*shape, generator=g) * 0.3
pipe = StableDiffusionPipeline.from_pretrained(MODEL, safety_checker=None, requires_safety_checker=False)
pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
pipe.set_progress_bar_config(disable=True)
FACE, CROSS, TOKENS, RANK = 16, 32, 4, 2
proj = {"proj.0.weight": rand(2 * FACE, FACE), "proj.0.bias": rand(2 * FACE),
        "proj.2.weight": rand(TOKENS * CROSS, 2 * FACE), "proj.2.bias": rand(TOKENS * CROSS),
        "norm.weight": 1 + rand(CROSS), "norm.bias": rand(CROSS)}
state = {f"image_proj.{k}": v for k, v in proj.items()}
for k, name in enumerate(pipe.unet.attn_processors):
    attn = pipe.unet.get_submodule(name.removesuffix(".processor"))
    out, cross = attn.to_q.out_features, attn.to_k.in_features
    for x, inner in (("q", out), ("k", cross), ("v", cross), ("out", out)):
        state[f"ip_adapter.{k}.to_{x}_lora.down.weight"] = rand(RANK, inner)
        state[f"ip_adapter.{k}.to_{x}_lora.up.weight"] = rand(out, RANK) * 0.3
    if "attn2" in name:
        state |= {f"ip_adapter.{k}.to_{x}_ip.weight": rand(out, CROSS) for x in "kv"}
save_file(state, OUT / "ip_adapter_faceid.safetensors")
face = rand(FACE)
save_file({"face": face}, OUT / "face.safetensors")
(OUT / "face.json").write_text(json.dumps([float(x) for x in face]))
pipe.load_ip_adapter(str(OUT), subfolder="", weight_name="ip_adapter_faceid.safetensors", image_encoder_folder=None)
pipe.set_ip_adapter_scale(0.7)
embeds = torch.cat([torch.zeros(1, 1, FACE), face[None, None]])
image = pipe(prompt="a watercolour of a fox in the snow", negative_prompt="text, frame", num_inference_steps=4,
             guidance_scale=6.0, width=64, height=64, generator=torch.Generator().manual_seed(11),
             ip_adapter_image_embeds=[embeds]).images[0]
image.save(OUT / "face_id.png")
(OUT / "case.json").write_text(json.dumps(
    {p.__name__: p.__version__ for p in (torch, diffusers, transformers, peft)}))
