"""A picture that diffusers decodes in tiles (AutoencoderKL.enable_tiling), for tests/pipeline/vae_tiling_test.ts.
usage: python make_tiling.py   (torch 2.15, diffusers 0.42.1); writes tiling.safetensors beside itself."""
import os, torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file
HERE = os.path.dirname(os.path.abspath(__file__))
vae = AutoencoderKL.from_pretrained(f"{HERE}/reference/models/sd1/vae").eval()
vae.tile_sample_min_size, vae.tile_latent_min_size = 64, 8      # small tiles: 3 x 4 of them
vae.enable_tiling()
z = torch.randn(1, 4, 17, 21, generator=torch.Generator().manual_seed(3))
with torch.no_grad():
    tiled = vae.decode(z / vae.config.scaling_factor).sample
    vae.disable_tiling()
    whole = vae.decode(z / vae.config.scaling_factor).sample
print(tuple(tiled.shape), "tiled against whole:", (tiled - whole).abs().max().item())
save_file({"latents": z[0].contiguous(), "image": tiled[0].half().contiguous()}, f"{HERE}/tiling.safetensors")
