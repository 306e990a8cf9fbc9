"""Goldens of what stands beside or in place of a model's own networks: TAESD for its autoencoder, and
SDXL's refiner behind its base. Tiny networks with random weights, and diffusers' pictures.

    python tests/golden/make_containers.py     # writes tests/golden/containers/

Packages: torch, diffusers 0.42.1, transformers 5, Pillow; the versions are in cases.json.
"""
import json
import pathlib

import diffusers
import torch
import transformers
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

GOLDEN = pathlib.Path(__file__).parent
OUT = GOLDEN / "containers"
SD1 = GOLDEN / "reference/models/sd1"
INIT = GOLDEN / "reference/init.png"
PROMPT, NEGATIVE, SIZE = "a watercolour of a fox in the snow", "text, frame", 64
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
cases = []


def liven(model, g):
    for name, p in model.named_parameters():
        if p.ndim == 1:
            p.data.add_((0.2 if "norm" in name else 0.05) * torch.randn(p.shape, generator=g))
    return model.eval()


def keep(name, picture, model, /, **flags):
    (OUT / "images").mkdir(parents=True, exist_ok=True)
    picture.save(OUT / f"images/{name}.png")
    args = [text for flag, value in flags.items() if value is not None
            for text in ("--" + flag.replace("_", "-"), str(value))]
    cases.append(dict(name=name, model=model, args=args, image=f"images/{name}.png"))
    print(name, picture.size)


def generator(seed):
    return torch.Generator().manual_seed(seed)


# --- TAESD in place of the autoencoder -----------------------------------------------------------
def taesd():
    torch.manual_seed(1)
    g = generator(2)
    widths = (8, 8, 8, 8)
    tiny = liven(AutoencoderTiny(encoder_block_out_channels=widths, decoder_block_out_channels=widths), g)
    with torch.no_grad():
        out = tiny.decode(torch.randn(1, 4, 8, 8, generator=g)).sample
        layers = tiny.decoder.layers
        layers[-1].weight.data.mul_(0.6 / out.std())
        latents = tiny.encode(torch.rand(1, 3, 64, 64, generator=g) * 2 - 1).latents
        tiny.encoder.layers[-1].weight.data.mul_(1 / latents.std())
    tiny.save_pretrained(OUT / "taesd")
    common = dict(prompt=PROMPT, negative_prompt=NEGATIVE, num_inference_steps=4, guidance_scale=5.0)
    flags = dict(prompt=PROMPT, negative_prompt=NEGATIVE, steps=4, guidance_scale=5.0, vae="taesd",
                 scheduler="EulerAncestralDiscreteScheduler")
    load = dict(vae=tiny, safety_checker=None, requires_safety_checker=False)
    pipe = StableDiffusionPipeline.from_pretrained(SD1, **load)
    pipe.scheduler = EulerAncestralDiscreteScheduler.from_config(pipe.scheduler.config)
    image = pipe(**common, width=SIZE, height=SIZE, generator=generator(3)).images[0]
    keep("taesd-decode", image, "../reference/models/sd1", **flags, seed=3, width=SIZE, height=SIZE)
    pipe = StableDiffusionImg2ImgPipeline(**pipe.components, requires_safety_checker=False)
    init = Image.open(INIT).convert("RGB").resize((SIZE, SIZE), Image.LANCZOS)
    init.save(OUT / "init.png")
    image = pipe(**common, image=init, strength=0.6, generator=generator(4)).images[0]
    keep("taesd-img2img", image, "../reference/models/sd1", **flags, seed=4, image="init.png", strength=0.6)


# --- SDXL: base and refiner ----------------------------------------------------------------------
def tokenizer(folder, pad):
    """A vocabulary of single bytes and a few merges."""
    letters = [*range(33, 127), *range(161, 173), *range(174, 256)]
    marks = [chr(c) for c in letters] + [chr(256 + i) for i in range(256 - len(letters))]
    merges = ["t h", "th e</w>", "o f</w>", "f o", "fo x</w>", "i n</w>", "s n", "o w</w>"]
    tokens = [*marks, *(m + "</w>" for m in marks), *(m.replace(" ", "") for m in merges),
              "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    end = "<|endoftext|>"
    (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}, ensure_ascii=False), "utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", "utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(dict(
        bos_token="<|startoftext|>", eos_token=end, unk_token=end, pad_token=pad, model_max_length=77,
        do_lower_case=True, errors="replace", tokenizer_class="CLIPTokenizer")))
    return CLIPTokenizer.from_pretrained(folder), len(tokens)


def text(cls, vocabulary, g, **config):
    c = dict(hidden_size=16, intermediate_size=32, num_attention_heads=2, num_hidden_layers=3, projection_dim=16,
             vocab_size=vocabulary, bos_token_id=vocabulary - 2, eos_token_id=vocabulary - 1,
             pad_token_id=vocabulary - 1)
    return liven(cls(CLIPTextConfig(**{**c, **config})), g)


def unet(g, cross, ids):
    c = dict(sample_size=8, layers_per_block=1, block_out_channels=(16, 16, 32), norm_num_groups=4,
             down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
             up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
             attention_head_dim=(2, 2, 4), transformer_layers_per_block=1, cross_attention_dim=cross,
             use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=8,
             projection_class_embeddings_input_dim=8 * ids + 16)
    model = liven(UNet2DConditionModel(**c), g)
    with torch.no_grad():
        added = dict(text_embeds=torch.randn(2, 16, generator=g), time_ids=torch.full((2, ids), 64.0))
        out = model(torch.randn(2, 4, 8, 8, generator=g), 500, torch.randn(2, 77, cross, generator=g),
                    added_cond_kwargs=added).sample
        model.conv_out.weight.data.mul_(0.9 / out.std())
    return model


def vae(g):
    blocks = (8, 8, 8, 8)
    model = liven(AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=blocks, norm_num_groups=4, sample_size=64, scaling_factor=0.13025,
        force_upcast=False), g)
    with torch.no_grad():
        out = model.decode(torch.randn(1, 4, 8, 8, generator=g) / 0.13025).sample
        model.decoder.conv_out.weight.data.mul_(0.5 / out.std())
    return model


def open_pipe(cls, folder):
    pipe = cls.from_pretrained(folder, add_watermarker=False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def base_and_refiner():
    torch.manual_seed(10)
    g = generator(11)
    scheduler = EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
                                       timestep_spacing="leading", steps_offset=1)
    first, vocabulary = tokenizer(OUT / "base/tokenizer", "<|endoftext|>")
    second, _ = tokenizer(OUT / "base/tokenizer_2", "!")
    own = vae(g)
    second_text = text(CLIPTextModelWithProjection, vocabulary, g, hidden_act="gelu")
    StableDiffusionXLPipeline(
        vae=own, text_encoder=text(CLIPTextModel, vocabulary, g), text_encoder_2=second_text, tokenizer=first,
        tokenizer_2=second, unet=unet(g, 32, 6), scheduler=scheduler, add_watermarker=False,
    ).save_pretrained(OUT / "base")
    StableDiffusionXLImg2ImgPipeline(
        vae=own, text_encoder=None, text_encoder_2=second_text, tokenizer=None, tokenizer_2=second,
        unet=unet(g, 16, 5), scheduler=scheduler, requires_aesthetics_score=True, force_zeros_for_empty_prompt=False,
        add_watermarker=False,
    ).save_pretrained(OUT / "refiner")
    for folder, pad in (("base/tokenizer", "<|endoftext|>"), ("base/tokenizer_2", "!"), ("refiner/tokenizer_2", "!")):
        for file in (OUT / folder).iterdir():
            file.unlink()
        tokenizer(OUT / folder, pad)
    return open_pipe(StableDiffusionXLPipeline, OUT / "base"), open_pipe(StableDiffusionXLImg2ImgPipeline, OUT / "refiner")


def refined(base, refiner):
    schedulers = [
        (EulerDiscreteScheduler, {}, {}, 0.8),
        (DDIMScheduler, {}, {}, 0.5),
        (EulerAncestralDiscreteScheduler, {}, {}, 0.6),
        (HeunDiscreteScheduler, {}, {}, 0.7),
        (DPMSolverMultistepScheduler, dict(use_karras_sigmas=True), dict(scheduler_option=None), 0.75),
    ]
    own = base.scheduler.config
    for i, (cls, options, _, start) in enumerate(schedulers):
        base.scheduler, refiner.scheduler = cls.from_config(own, **options), cls.from_config(own, **options)
        g = generator(20 + i)
        common = dict(prompt=PROMPT, negative_prompt=NEGATIVE, num_inference_steps=8, guidance_scale=5.0, generator=g)
        latents = base(**common, width=SIZE, height=SIZE, denoising_end=start, output_type="latent").images
        image = refiner(**common, image=latents, denoising_start=start).images[0]
        name = "DPM++ 2M Karras" if options else cls.__name__
        keep(f"refiner-{cls.__name__.removesuffix('Scheduler').lower()}", image, "base", refiner="refiner",
             refiner_start=start, prompt=PROMPT, negative_prompt=NEGATIVE, steps=8, guidance_scale=5.0, width=SIZE,
             height=SIZE, seed=20 + i, scheduler=name)
    base.scheduler, refiner.scheduler = (EulerDiscreteScheduler.from_config(own) for _ in range(2))
    scores = dict(aesthetic_score=7.5, negative_aesthetic_score=1.0)
    image = refiner(prompt=PROMPT, image=Image.open(OUT / "init.png"), strength=0.5, num_inference_steps=6,
                    guidance_scale=5.0, generator=generator(30), **scores).images[0]
    keep("refiner-alone", image, "refiner", prompt=PROMPT, image="init.png", strength=0.5, steps=6,
         guidance_scale=5.0, seed=30, **scores)
    image = base(prompt=PROMPT, num_inference_steps=8, guidance_scale=5.0, width=SIZE, height=SIZE, denoising_end=0.7,
                 generator=generator(31)).images[0]
    keep("denoising-end", image, "base", prompt=PROMPT, steps=8, guidance_scale=5.0, width=SIZE, height=SIZE, seed=31,
         denoising_end=0.7)


def sized(base):
    common = dict(prompt=PROMPT, num_inference_steps=4, guidance_scale=5.0, width=SIZE, height=SIZE)
    flags = dict(prompt=PROMPT, steps=4, guidance_scale=5.0, width=SIZE, height=SIZE)
    image = base(**common, original_size=(512, 768), crops_coords_top_left=(16, 32), target_size=(1024, 960),
                 generator=generator(40)).images[0]
    # Sizes are height and width in diffusers, and width x height on the command line.
    keep("size-conditioning", image, "base", **flags, seed=40, original_size="768x512", crop="32,16",
         target_size="960x1024")
    image = base(**common, negative_original_size=(256, 320), negative_crops_coords_top_left=(8, 4),
                 negative_target_size=(512, 640), generator=generator(41)).images[0]
    keep("negative-size-conditioning", image, "base", **flags, seed=41, negative_original_size="320x256",
         negative_crop="4,8", negative_target_size="640x512")


if __name__ == "__main__":
    taesd()
    base, refiner = base_and_refiner()
    refined(base, refiner)
    sized(base)
    made_with = dict(diffusers=diffusers.__version__, torch=torch.__version__, transformers=transformers.__version__)
    (OUT / "cases.json").write_text(json.dumps(dict(made_with=made_with, cases=cases), indent=1) + "\n")
