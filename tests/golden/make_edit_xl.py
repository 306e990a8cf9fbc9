"""Goldens of InstructPix2Pix on SDXL: diffusers' pictures with the tiny SDXL of
tests/golden/containers, whose U-Net gets a first convolution that sees a picture beside the latents.

    python tests/golden/make_edit_xl.py     # writes tests/golden/edit_xl/

Packages: torch, diffusers 0.42.1, transformers 5; the versions are in cases.json.
"""
import json
import pathlib

import diffusers
import torch
import transformers
from diffusers import EulerDiscreteScheduler, StableDiffusionXLInstructPix2PixPipeline, StableDiffusionXLPipeline
from diffusers import UNet2DConditionModel
from PIL import Image
from safetensors.torch import save_file

GOLDEN = pathlib.Path(__file__).parent
BASE, OUT = GOLDEN / "containers/base", GOLDEN / "edit_xl"
OUT.mkdir(exist_ok=True)
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)

base = StableDiffusionXLPipeline.from_pretrained(BASE, add_watermarker=False)
config = dict(base.unet.config)
unet = UNet2DConditionModel.from_config({**config, "in_channels": 8}).eval()
state = base.unet.state_dict()
wide = torch.randn(state["conv_in.weight"].shape[0], 4, 3, 3, generator=torch.Generator().manual_seed(5)) * 0.2
state["conv_in.weight"] = torch.cat([state["conv_in.weight"], wide], 1)
unet.load_state_dict(state)
save_file({"conv_in.weight": state["conv_in.weight"].contiguous()}, OUT / "conv_in.safetensors")
init = Image.open(GOLDEN / "containers/init.png").convert("RGB")
parts = {k: v for k, v in base.components.items() if k not in ("image_encoder", "feature_extractor", "unet")}
cases = {}
for name, cosxl, prompts in (
    ("edit", False, dict(negative_prompt="text, frame")),
    ("edit_cosxl", True, dict(negative_prompt="text, frame")),
    ("edit_no_negative", False, {}),
):
    pipe = StableDiffusionXLInstructPix2PixPipeline(**parts, unet=unet, is_cosxl_edit=cosxl, add_watermarker=False)
    pipe.scheduler = EulerDiscreteScheduler.from_config(base.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    image = pipe(prompt="a watercolour of a fox in the snow", **prompts, image=init, height=64, width=64,
                 num_inference_steps=4, guidance_scale=4.0, image_guidance_scale=1.3,
                 generator=torch.Generator().manual_seed(7)).images[0]
    image.save(OUT / f"{name}.png")
    cases[name] = {"cosxl": cosxl, "negative": prompts.get("negative_prompt")}
(OUT / "cases.json").write_text(json.dumps({
    "made_with": {p.__name__: p.__version__ for p in (torch, diffusers, transformers)}, "cases": cases}, indent=1))
