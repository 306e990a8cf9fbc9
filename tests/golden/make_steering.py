"""Goldens of what steers a picture: pictures that diffusers draws with the tiny model of
tests/golden/reference, and U-Nets that see more than latents.

    python tests/golden/make_steering.py     # writes tests/golden/steering/*.png, cases.json, unet_*/

Packages: torch, diffusers 0.42.1, transformers 5; the versions that made the stored files are in
cases.json. Where diffusers has no pipeline for something (weighted prompts, composed prompts,
skip-layer guidance), its parts are put together here from the published rule.
"""
import json
import pathlib

import diffusers
import numpy as np
import torch
import transformers
from diffusers import (
    ControlNetModel,
    DDIMScheduler,
    StableDiffusionAdapterPipeline,
    StableDiffusionControlNetPipeline,
    StableDiffusionDepth2ImgPipeline,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionPAGPipeline,
    StableDiffusionPipeline,
    StableDiffusionSAGPipeline,
    T2IAdapter,
    UNet2DConditionModel,
)
from PIL import Image, ImageDraw, ImageFilter
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

HERE = pathlib.Path(__file__).parent
OUT = HERE / "steering"
MODEL = HERE / "reference/models/sd1"
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
CASES = []
PROMPT = dict(prompt="a watercolour of a fox in the snow", negative_prompt="text, frame")
RUN = dict(num_inference_steps=4, guidance_scale=6.0)


def seed(n=11):
    return torch.Generator("cpu").manual_seed(n)


def save(name, drawn, options, **more):
    drawn.save(OUT / f"{name}.png")
    CASES.append(dict(name=name, options=options, **more))
    print(name)


def quiet(pipe):
    pipe.set_progress_bar_config(disable=True)
    return pipe


pipe = quiet(StableDiffusionPipeline.from_pretrained(MODEL, safety_checker=None, requires_safety_checker=False))
pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
parts = {k: v for k, v in pipe.components.items()}
OUR = dict(prompt=PROMPT["prompt"], negativePrompt=PROMPT["negative_prompt"], steps=4, guidanceScale=6,
           seed=11, width=64, height=64, scheduler="DDIMScheduler")

yy, xx = np.mgrid[0:96, 0:96]
init = Image.fromarray(np.stack([255 - xx * 2, yy * 2, (xx * yy) // 40], -1).clip(0, 255).astype("uint8"))
mask = Image.new("L", (96, 96), 0)
ImageDraw.Draw(mask).ellipse((30, 44, 61, 70), fill=255)
init.save(OUT / "init.png")
mask.save(OUT / "mask.png")


def paste(base, p, **kw):
    return p(**base, **RUN, generator=seed(), **kw).images[0]


# --- prompts -------------------------------------------------------------------------------------
def window(pieces):
    """The states of one window of weighted pieces by A1111's rule: times weights, former mean."""
    ids, weights = [], []
    for text, weight in pieces:
        own = pipe.tokenizer(text, add_special_tokens=False).input_ids
        ids += own
        weights += [weight] * len(own)
    assert len(ids) <= 75
    fill = [pipe.tokenizer.pad_token_id] * (75 - len(ids))
    full = torch.tensor([[pipe.tokenizer.bos_token_id, *ids, pipe.tokenizer.eos_token_id, *fill]])
    z = pipe.text_encoder(full)[0]
    before = z.mean()
    z = z * torch.tensor([1.0, *weights, *[1.0] * (76 - len(ids))])[None, :, None]
    return z * (before / z.mean())


def encode(*windows):
    with torch.no_grad():
        return torch.cat([window(w) for w in windows], 1)


empty = lambda n: encode(*[[("", 1.0)]] * n)
weighted = encode([("a ", 1.0), ("red", 1.4), (" fox in the ", 1.0), ("snow", 1 / 1.1), (" at dawn", 1.0)])
image = pipe(prompt_embeds=weighted, negative_prompt_embeds=empty(1), **RUN, width=64, height=64, generator=seed()).images[0]
save("weighted", image, {**OUR, "negativePrompt": "", "prompt": "a (red:1.4) fox in the [snow] at dawn"})


def denoise(positives, negative, scale=6.0, at=None, steps=4, extra=None):
    """DDIM with composed prompts; prompts of other lengths run on their own."""
    sched = DDIMScheduler.from_config(pipe.scheduler.config)
    sched.set_timesteps(steps)
    x = torch.randn((1, 4, 8, 8), generator=seed()) * sched.init_noise_sigma
    for i, t in enumerate(sched.timesteps):
        with torch.no_grad():
            u = pipe.unet(x, t, negative).sample
            noise = u.clone()
            for states, weight in (at(i) if at else positives):
                noise += scale * weight * (pipe.unet(x, t, states).sample - u)
            if extra:
                noise += extra(x, t)
        x = sched.step(noise, t, x).prev_sample
    with torch.no_grad():
        decoded = pipe.vae.decode(x / pipe.vae.config.scaling_factor).sample
    return pipe.image_processor.postprocess(decoded, output_type="pil")[0]


one = lambda text: encode([(text, 1.0)])
save("composed", denoise([(one("a fox"), 1.0), (one("snow"), 0.5)], one("frame")),
     {**OUR, "negativePrompt": "frame", "prompt": "a fox AND snow :0.5"})
long = encode([("a fox", 1.0)], [("the snow", 1.0)])
save("break", denoise([(long, 1.0)], one("frame")),
     {**OUR, "negativePrompt": "frame", "prompt": "a fox BREAK the snow"})
save("scheduled", denoise(None, one("frame"), at=lambda i: [(one("a fox in snow" if i < 2 else "a fox in rain"), 1.0)]),
     {**OUR, "negativePrompt": "frame", "prompt": "a fox in [snow:rain:0.5]"})
save("alternating", denoise(None, one("frame"), at=lambda i: [(one(["a fox", "a dog"][i % 2]), 1.0)]),
     {**OUR, "negativePrompt": "frame", "prompt": "a [fox|dog]"})
text = "snow, " * 40
save("truncated", pipe(**{**PROMPT, "prompt": text}, **RUN, width=64, height=64, generator=seed()).images[0],
     {**OUR, "prompt": text, "longPrompt": "truncate"})
save("parentheses", pipe(**{**PROMPT, "prompt": "a (red:1.4) [fox] AND snow"}, **RUN, width=64, height=64, generator=seed()).images[0],
     {**OUR, "prompt": "a (red:1.4) [fox] AND snow", "promptSyntax": "plain"})

# --- painting ------------------------------------------------------------------------------------
inpaint = quiet(StableDiffusionInpaintPipeline(**parts, requires_safety_checker=False))
blurred = mask.filter(ImageFilter.GaussianBlur(3))
blurred.save(OUT / "mask_blurred.png")
painted = paste(PROMPT, inpaint, image=init, mask_image=blurred, padding_mask_crop=6, width=64, height=64, strength=1.0)
save("masked_area", painted, {**OUR, "maskBlur": 3, "maskedPadding": 6}, image="init.png", mask="mask.png")
wide = init.resize((96, 48))
painted = paste(PROMPT, inpaint, image=wide, mask_image=mask.resize((96, 48)), padding_mask_crop=20, width=64, height=64, strength=0.7)
wide.save(OUT / "wide.png")
mask.resize((96, 48)).save(OUT / "wide_mask.png")
save("masked_area_filled", painted, {**OUR, "maskedPadding": 20, "strength": 0.7}, image="wide.png", mask="wide_mask.png")

# --- a second pass -------------------------------------------------------------------------------
again = quiet(StableDiffusionImg2ImgPipeline(**parts, requires_safety_checker=False))
first = pipe(**PROMPT, **RUN, width=64, height=64, generator=seed(), output_type="latent").images
for mode in ("bilinear", "nearest", "bicubic"):
    larger = torch.nn.functional.interpolate(first, size=(12, 12), mode=mode)
    image = again(**PROMPT, **RUN, image=larger, strength=0.5, generator=seed()).images[0]
    save(f"hires_{mode}", image, {**OUR, "hires": dict(scale=1.5, strength=0.5, upscale=f"latent-{mode}")})
small = pipe(**PROMPT, **RUN, width=64, height=64, generator=seed()).images[0]
image = again(**PROMPT, **RUN, image=small.resize((96, 96), Image.LANCZOS), strength=0.5, generator=seed()).images[0]
save("hires_lanczos", image, {**OUR, "hires": dict(scale=1.5, strength=0.5, upscale="lanczos")})

# --- guidance ------------------------------------------------------------------------------------
pipe.enable_freeu(s1=0.9, s2=0.2, b1=1.5, b2=1.6)
save("free_u", paste(PROMPT, pipe, width=64, height=64), {**OUR, "freeU": dict(s1=0.9, s2=0.2, b1=1.5, b2=1.6)})
pipe.disable_freeu()
for name, layers in (("mid", ["mid"]), ("up", ["up_blocks.1", "mid"])):
    pag = quiet(StableDiffusionPAGPipeline(**parts, requires_safety_checker=False, pag_applied_layers=layers))
    image = paste(PROMPT, pag, width=64, height=64, pag_scale=3.0)
    pag.unet.set_default_attn_processor()
    save(f"perturbed_{name}", image, {**OUR, "perturbedAttentionScale": 3,
         "perturbedAttentionLayers": ["mid_block" if x == "mid" else x for x in layers]})

skipped = pipe.unet.up_blocks[1].attentions
cond = one(PROMPT["prompt"])


def skip_layers(x, t):
    full = pipe.unet(x, t, cond).sample
    originals = [a.forward for a in skipped]
    for a in skipped:
        a.forward = lambda hidden_states, *_, **__: (hidden_states,)
    less = pipe.unet(x, t, cond).sample
    for a, f in zip(skipped, originals):
        a.forward = f
    return 2.5 * (full - less)


save("skipped_layers", denoise([(cond, 1.0)], one(PROMPT["negative_prompt"]), extra=skip_layers),
     {**OUR, "skipLayerScale": 2.5, "skippedLayers": ["up_blocks.1"]})

sag = quiet(StableDiffusionSAGPipeline(**parts, requires_safety_checker=False))
image = paste(PROMPT, sag, width=128, height=128, sag_scale=0.9)
save("self_attention", image, {**OUR, "width": 128, "height": 128, "selfAttentionScale": 0.9})


# --- U-Nets that see more ------------------------------------------------------------------------
def unet(name, channels):
    torch.manual_seed(channels)
    g = torch.Generator().manual_seed(channels)
    model = UNet2DConditionModel(
        sample_size=8, in_channels=channels, out_channels=4, block_out_channels=(8, 16), layers_per_block=1,
        norm_num_groups=4, cross_attention_dim=32, attention_head_dim=2,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D")).eval()
    for n, p in model.named_parameters():
        if p.ndim == 1:
            p.data.add_(0.1 * torch.randn(p.shape, generator=g))
    with torch.no_grad():
        y = model(torch.randn(2, channels, 8, 8, generator=g), torch.tensor(500), torch.randn(2, 77, 32, generator=g)).sample
        model.conv_out.weight.data.mul_(0.9 / y.std())
    model.save_pretrained(OUT / name)
    return model


edit = quiet(StableDiffusionInstructPix2PixPipeline(**{**parts, "unet": unet("unet_edit", 8)}, requires_safety_checker=False))
square = init.resize((64, 64))
square.save(OUT / "square.png")
save("edit", paste(PROMPT, edit, image=square, image_guidance_scale=1.4), {**OUR, "imageGuidanceScale": 1.4},
     image="square.png", unet="unet_edit", pipeline="StableDiffusionInstructPix2PixPipeline")
components = {k: v for k, v in parts.items() if k in ("vae", "text_encoder", "tokenizer", "scheduler")}
depth_pipe = quiet(StableDiffusionDepth2ImgPipeline(**components, unet=unet("unet_depth", 5), depth_estimator=None, feature_extractor=None))
depth = Image.fromarray((np.hypot(xx - 40, yy - 60) * 2).clip(0, 255).astype("uint8"))
depth.save(OUT / "depth_map.png")
image = paste(PROMPT, depth_pipe, image=square, depth_map=torch.tensor(np.array(depth), dtype=torch.float32)[None], strength=0.8)
save("depth", image, {**OUR, "strength": 0.8}, image="square.png", depth="depth_map.png", unet="unet_depth",
     pipeline="StableDiffusionDepth2ImgPipeline")

# --- pictures as prompts, and as features ----------------------------------------------------------
def ip_adapter(kind):
    """An adapter's file with its image encoder beside it."""
    g = torch.Generator().manual_seed(3)
    rand = lambda *shape: torch.randn(*shape, generator=g) * 0.3
    width = 24 if kind == "pooled" else 16
    if kind == "pooled":
        proj = {"proj.weight": rand(4 * 32, width), "proj.bias": rand(4 * 32), "norm.weight": 1 + rand(32), "norm.bias": rand(32)}
    else:
        proj = {"proj.0.weight": rand(width, width), "proj.0.bias": rand(width), "proj.2.weight": rand(32, width),
                "proj.2.bias": rand(32), "proj.3.weight": 1 + rand(32), "proj.3.bias": rand(32)}
    state = {f"image_proj.{k}": v for k, v in proj.items()}
    k = 1
    for name in pipe.unet.attn_processors:
        if "attn2" in name:
            out = pipe.unet.get_submodule(name.removesuffix(".processor")).to_q.out_features
            state |= {f"ip_adapter.{k}.to_{x}_ip.weight": rand(out, 32) for x in "kv"}
            k += 2
    save_file(state, OUT / f"ip_{kind}.safetensors")


torch.manual_seed(4)
CLIPVisionModelWithProjection(CLIPVisionConfig(
    hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=32, patch_size=8,
    projection_dim=24)).eval().save_pretrained(OUT / "image_encoder")
for kind in ("pooled", "full"):
    ip_adapter(kind)
    ip = quiet(StableDiffusionPipeline.from_pretrained(MODEL, safety_checker=None, requires_safety_checker=False))
    ip.scheduler = DDIMScheduler.from_config(ip.scheduler.config)
    ip.load_ip_adapter(str(OUT), subfolder="", weight_name=f"ip_{kind}.safetensors", image_encoder_folder=str(OUT / "image_encoder"))
    ip.set_ip_adapter_scale(0.6)
    save(f"image_prompt_{kind}", ip(**PROMPT, **RUN, width=64, height=64, generator=seed(), ip_adapter_image=init.resize((96, 64))).images[0],
         {**OUR, "imagePrompts": [dict(scale=0.6)]}, shown="shown.png", ipAdapter=f"ip_{kind}.safetensors")
init.resize((96, 64)).save(OUT / "shown.png")

torch.manual_seed(6)
adapter = T2IAdapter(in_channels=1, channels=[16, 32, 32, 32], num_res_blocks=1, downscale_factor=8, adapter_type="full_adapter").eval()
adapter.save_pretrained(OUT / "t2i_adapter")
t2i = quiet(StableDiffusionAdapterPipeline(**{k: v for k, v in parts.items() if k != "image_encoder"}, adapter=adapter,
                                           requires_safety_checker=False))
image = t2i(**PROMPT, **RUN, width=64, height=64, generator=seed(), image=square.convert("L"), adapter_conditioning_scale=0.8).images[0]
save("features", image, {**OUR, "adapters": [dict(scale=0.8)]}, shown="square.png", t2iAdapter="t2i_adapter")

# --- ControlNet in guess mode ----------------------------------------------------------------------
net = ControlNetModel.from_pretrained(HERE / "reference/models/controlnet")
control = quiet(StableDiffusionControlNetPipeline(**parts, controlnet=net, requires_safety_checker=False))
image = control(**PROMPT, **RUN, width=64, height=64, generator=seed(), image=square, guess_mode=True, controlnet_conditioning_scale=0.9).images[0]
save("guess", image, {**OUR, "controls": [dict(scale=0.9, guess=True)]}, shown="square.png", controlNet="../reference/models/controlnet")

(OUT / "cases.json").write_text(json.dumps(dict(
    made_with=dict(diffusers=diffusers.__version__, torch=torch.__version__, transformers=transformers.__version__),
    cases=CASES), indent=1) + "\n")
