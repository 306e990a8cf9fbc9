"""Exports the networks of a diffusers folder by torch.onnx, for the ONNX Runtime peer.

    python bench/peers/export_onnx.py WEIGHTS OUTPUT [--size 512]

Writes OUTPUT/{text_encoder,unet,vae_decoder}.onnx, each with its weights in an external file beside
it, with fixed shapes: a batch of two for the U-Net (both halves of guidance), of one elsewhere.
"""

import argparse
import pathlib

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel


class UNet(torch.nn.Module):
    def __init__(self, unet):
        super().__init__()
        self.unet = unet

    def forward(self, sample, timestep, encoder_hidden_states):
        return self.unet(sample, timestep, encoder_hidden_states, return_dict=False)[0]


class TextEncoder(torch.nn.Module):
    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids):
        return self.encoder(input_ids).last_hidden_state


class Decoder(torch.nn.Module):
    def __init__(self, vae):
        super().__init__()
        self.vae = vae

    def forward(self, latents):
        scaled = latents / self.vae.config.scaling_factor
        return self.vae.decode(scaled, return_dict=False)[0]


def networks(weights, side):
    """Yields each network with its example inputs; one at a time, for memory."""
    text = CLIPTextModel.from_pretrained(weights / "text_encoder")
    yield "text_encoder", TextEncoder(text), {"input_ids": torch.zeros(1, 77, dtype=torch.int64)}
    vae = AutoencoderKL.from_pretrained(weights / "vae")
    yield "vae_decoder", Decoder(vae), {"latents": torch.randn(1, 4, side, side)}
    unet = UNet2DConditionModel.from_pretrained(weights / "unet")
    yield "unet", UNet(unet), {
        "sample": torch.randn(2, 4, side, side),
        "timestep": torch.full((2,), 500.0),
        "encoder_hidden_states": torch.randn(2, 77, unet.config.cross_attention_dim),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("weights", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--size", type=int, default=512, help="side of the picture in pixels")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name, network, inputs in networks(arguments.weights, arguments.size // 8):
        with torch.inference_mode():
            torch.onnx.export(
                network.eval(),
                tuple(inputs.values()),
                arguments.output / f"{name}.onnx",
                input_names=list(inputs),
                output_names=["output"],
                external_data=True,
            )
        print(f"wrote {name}.onnx", flush=True)


if __name__ == "__main__":
    main()
