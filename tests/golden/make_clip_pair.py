"""A tiny CLIP model, and what it thinks of a picture that the tiny autoencoder of
tests/golden/reference decodes, with the derivative of that by the latents.

    python tests/golden/make_clip_pair.py     # writes tests/golden/clip_pair/

Packages: torch, diffusers 0.42.1, transformers 5; the versions are in expected.json.
"""
import json
import pathlib

import diffusers
import torch
import torch.nn.functional as F
import transformers
from diffusers import AutoencoderKL
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

HERE = pathlib.Path(__file__).parent
OUT = HERE / "clip_pair"
MODEL = HERE / "reference/models/sd1"
torch.manual_seed(3)
torch.set_num_threads(1)

tokenizer = CLIPTokenizer.from_pretrained(MODEL / "tokenizer")
tower = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=4, num_attention_heads=2)
config = CLIPConfig(
    text_config=dict(**tower, vocab_size=len(tokenizer), eos_token_id=tokenizer.eos_token_id, projection_dim=16),
    vision_config=dict(**tower, image_size=32, patch_size=8, projection_dim=16),
    projection_dim=16,
)
clip = CLIPModel(config).eval()
with torch.no_grad():
    for name, p in clip.named_parameters():
        if p.ndim > 1:
            p.mul_(4)  # the tiny initial weights would make all pictures alike
clip.save_pretrained(OUT)
vae = AutoencoderKL.from_pretrained(MODEL / "vae").eval()

PROMPT = "a fox in the snow"
HEIGHT, WIDTH = 8, 6
MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073])[None, :, None, None]
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711])[None, :, None, None]


def pixel_values(latents):
    image = vae.decode(latents / vae.config.scaling_factor).sample
    side = min(image.shape[2:])
    top, left = (image.shape[2] - side) // 2, (image.shape[3] - side) // 2
    square = image[:, :, top:top + side, left:left + side]
    return (F.interpolate(square, (32, 32), mode="bilinear", antialias=True) / 2 + 0.5 - MEAN) / STD


def states(pixels):
    return clip.vision_model(pixel_values=pixels, output_hidden_states=True)


def embed(pixels):
    return clip.visual_projection(states(pixels).pooler_output)


ids = tokenizer(PROMPT, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
with torch.no_grad():
    text = clip.text_projection(clip.text_model(input_ids=ids).pooler_output)
latents = torch.randn(1, 4, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1)).requires_grad_()
cosine = F.cosine_similarity(embed(pixel_values(latents)), text).mean()
(gradient,) = torch.autograd.grad(cosine, latents)

# A flat gray picture: no resizing filter has a say in what it becomes.
with torch.no_grad():
    gray = (torch.full((1, 3, 32, 32), 100 / 255) - MEAN) / STD
    wanted = states(gray).hidden_states[1:]
looks = states(pixel_values(latents)).hidden_states[1:]
likeness = sum(F.cosine_similarity(a, b, dim=-1).mean() for a, b in zip(looks, wanted)) / len(wanted)
(like_gradient,) = torch.autograd.grad(likeness, latents)

flat = lambda t: [float(x) for x in t.detach().flatten()]
(OUT / "expected.json").write_text(json.dumps({
    "made_with": {p.__name__: p.__version__ for p in (torch, diffusers, transformers)},
    "prompt": PROMPT, "height": HEIGHT, "width": WIDTH, "latents": flat(latents),
    "text": {"value": float(cosine), "gradient": flat(gradient)},
    "like": {"gray": 100, "value": float(likeness), "gradient": flat(like_gradient)},
}))
print(float(cosine), float(likeness))
