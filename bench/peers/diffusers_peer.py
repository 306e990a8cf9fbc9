"""diffusers on the CPU as a peer: diffusers_peer.py WEIGHTS [--size 512] [--dtype float32] [--threads N]"""

import argparse
import pathlib

import diffusers
import torch
import transformers
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel

from protocol import inputs, serve

parser = argparse.ArgumentParser()
parser.add_argument("weights", type=pathlib.Path)
parser.add_argument("--size", type=int, default=512)
parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
parser.add_argument("--threads", type=int)
arguments = parser.parse_args()
dtype = getattr(torch, arguments.dtype)
feeds = inputs(arguments.size // 8)
networks = {}
if arguments.threads is not None:
    torch.set_num_threads(arguments.threads)

CLASSES = {
    "unet": ("unet", UNet2DConditionModel),
    "text_encoder": ("text_encoder", CLIPTextModel),
    "vae_decoder": ("vae", AutoencoderKL),
}


def load(name):
    folder, kind = CLASSES[name]
    networks[name] = kind.from_pretrained(arguments.weights / folder, torch_dtype=dtype).eval()


def run(name):
    def cast(value):
        tensor = torch.from_numpy(value)
        return tensor.to(dtype) if tensor.is_floating_point() else tensor

    network = networks[name]
    given = {key: cast(value) for key, value in feeds[name].items()}
    with torch.inference_mode():
        if name == "unet":
            result = network(**given, return_dict=False)[0]
        elif name == "text_encoder":
            result = network(**given).last_hidden_state
        else:
            scaled = given["latents"] / network.config.scaling_factor
            result = network.decode(scaled, return_dict=False)[0]
    return result.float().numpy()


versions = {
    "diffusers": diffusers.__version__,
    "torch": torch.__version__,
    "transformers": transformers.__version__,
}
serve(versions, load, run)
