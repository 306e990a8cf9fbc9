"""Trains two steps with `latent train`, opens the result with diffusers, and draws with both.

    python tests/golden/check_training_outputs.py [--keep FOLDER] [--only TEXT]

Every kind of training, of a diffusers folder, of a single file (the tiny model of
reference/models/sd1 under the names of Stable Diffusion's own code) and of SDXL
(containers/base), in each spelling of LoRA's file. Each picture must equal diffusers' picture of the
same file, and differ from the untrained model's. Prints a table; exits with 1 if a line failed.
`deno` must be on the path. Run with diffusers 0.42.1, peft 0.21.2, transformers 5.24.0,
torch 2.15.0, numpy 2.4.6.
"""
import argparse
import gzip
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import numpy
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from diffusers.loaders import single_file_utils as names
from diffusers.utils import logging as diffusers_logging
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers.utils import logging as transformers_logging

GOLDEN = pathlib.Path(__file__).resolve().parent
ROOT = GOLDEN.parent.parent
SD, XL = GOLDEN / "reference/models/sd1", GOLDEN / "containers/base"
SEED, STEPS, GUIDANCE, SIDE = 5, 3, 5.0, 64
# Pictures equal but for a rounding move a channel by one.
LARGEST, CHANGE = 2, 3


def latent(*args):
    command = ["deno", "run", "-A", ROOT / "cli.ts", *args, "--quiet"]
    subprocess.run([str(part) for part in command], check=True)


# --- a tiny single file --------------------------------------------------------------------------
def renamed(convert, keys, **more):
    """diffusers' name of each of `keys`: the converter moves tensors, so that their values tell."""
    tags = {key: torch.full((1, 1, 1, 1), float(i)) for i, key in enumerate(keys)}
    return {name: keys[int(tag.flatten()[0])] for name, tag in convert(tags, **more).items()}


def single_file(path):
    """The tiny folder's weights under the names, and in the shapes, of a Stable Diffusion file."""
    with gzip.open(GOLDEN / "models/names_sd15.json.gz") as file:
        shapes = json.load(file)["single_file"]
    config = lambda part: json.loads((SD / part / "config.json").read_text())
    tensors = {}
    for part, stem, prefix, convert, more in (
        ("unet", "diffusion_pytorch_model", "model.diffusion_model.",
         names.convert_ldm_unet_checkpoint, dict(config=config("unet"))),
        ("vae", "diffusion_pytorch_model", "first_stage_model.",
         names.convert_ldm_vae_checkpoint, dict(config={**config("vae"), "layers_per_block": 2})),
    ):
        stored = load_file(SD / part / f"{stem}.safetensors")
        keys = [key for key in shapes if key.startswith(prefix)]
        for name, key in renamed(convert, keys, **more).items():
            if name in stored:
                # Attention of the autoencoder is stored as convolutions of one pixel there.
                tail = (1,) * (len(shapes[key]) - stored[name].ndim)
                tensors[key] = stored[name].reshape(*stored[name].shape, *tail)
    for name, tensor in load_file(SD / "text_encoder/model.safetensors").items():
        name = name if name.startswith("text_model.") else f"text_model.{name}"
        tensors[f"cond_stage_model.transformer.{name}"] = tensor
    count = sum(len(load_file(file)) for part in ("unet", "vae", "text_encoder")
                for file in (SD / part).glob("*.safetensors"))
    assert len(tensors) == count, f"{len(tensors)} of {count} tensors have a name in a single file"
    save_file(tensors, path, metadata={"format": "pt"})


# --- two programs that draw ----------------------------------------------------------------------
def open_pipe(model):
    if model.is_file():
        pipe = StableDiffusionPipeline.from_single_file(
            model, config=str(SD), safety_checker=None, local_files_only=True)
    elif (model / "text_encoder_2").exists():
        pipe = StableDiffusionXLPipeline.from_pretrained(model, add_watermarker=False)
    else:
        pipe = StableDiffusionPipeline.from_pretrained(model, safety_checker=None)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def load_embedding(pipe, path, word):
    if not hasattr(pipe, "text_encoder_2"):
        pipe.load_textual_inversion(path)
        return
    vectors = load_file(path)
    pipe.load_textual_inversion(vectors["clip_l"], token=word, text_encoder=pipe.text_encoder,
                                tokenizer=pipe.tokenizer)
    pipe.load_textual_inversion(vectors["clip_g"], token=word, text_encoder=pipe.text_encoder_2,
                                tokenizer=pipe.tokenizer_2)


def theirs(model, prompt, lora=None, embedding=None, word=None):
    pipe = open_pipe(model)
    if lora:
        pipe.load_lora_weights(lora)
        parts = (getattr(pipe, part, None) for part in ("unet", "text_encoder", "text_encoder_2"))
        layers = sum(name.endswith(".lora_B.default_0")
                     for part in parts if part is not None for name, _ in part.named_modules())
        ups = [key for key in load_file(lora) if key.endswith(("lora_up.weight", "lora_B.weight"))]
        assert layers == len(ups), f"diffusers loaded {layers} of {len(ups)} layers"
    if embedding:
        load_embedding(pipe, embedding, word)
    image = pipe(prompt, num_inference_steps=STEPS, guidance_scale=GUIDANCE, width=SIDE,
                 height=SIDE, generator=torch.Generator().manual_seed(SEED)).images[0]
    return numpy.asarray(image).astype(int)


def ours(model, prompt, output, lora=None, embedding=None, word=None):
    latent("generate", prompt, "--model", model, "--output", output, "--seed", SEED, "--steps", STEPS,
           "--guidance-scale", GUIDANCE, "--width", SIDE, "--height", SIDE,
           *(["--config", SD] if model.is_file() else []),
           *(["--lora", lora] if lora else []), *(["--embedding", embedding] if embedding else []))
    return numpy.asarray(Image.open(output).convert("RGB")).astype(int)


# --- what is trained -----------------------------------------------------------------------------
def trained(kind, model, output, *flags):
    images = GOLDEN / "digits-examples" / "teal"
    latent("train", kind, "--model", model, "--images", images, "--output", output, "--steps", 2,
           "--optimizer", "sgd", "--clip-norm", 1, *(["--config", SD] if model.is_file() else []), *flags)
    return output


def cases(folder):
    """Name, the prompt, and what trains: it gives the model to draw with, and what is laid over it."""
    prompt, word = "a fox in the snow", "<teal>"
    for name, model in (("folder", SD), ("single file", folder / "single.safetensors"), ("SDXL", XL)):
        short = name.replace(" ", "-")

        def lora(label, *flags, rate=100):
            path = folder / f"{short}-{label}.safetensors"
            common = ("--prompt", prompt, "--rank", 2, "--alpha", 3, "--learning-rate", rate)
            return model, dict(lora=trained("lora", model, path, *common, *flags))

        def embedding(vectors):
            path = folder / f"{short}-word{vectors}.safetensors"
            flags = ("--token", word, "--init-word", "the", "--vectors", vectors, "--learning-rate", 100)
            return model, dict(embedding=trained("textual-inversion", model, path, *flags), word=word)

        def dreambooth(label, *flags):
            path = folder / f"{short}-trained{label}{model.suffix}"
            return trained("dreambooth", model, path, "--prompt", prompt, "--learning-rate", 1, *flags), {}

        for spelling in ("kohya", "peft"):
            yield f"lora {spelling}, {name}", prompt, lambda: lora(spelling, "--names", spelling)
            yield f"lora {spelling} +text, {name}", prompt, lambda: lora(
                f"{spelling}-text", "--names", spelling, "--text-encoder")
        yield f"lora of all layers, {name}", prompt, lambda: lora("all", "--targets", "all", rate=3)
        for vectors in (1, 2):
            yield f"word of {vectors}, {name}", f"a {word} in the snow", lambda: embedding(vectors)
        yield f"dreambooth, {name}", prompt, lambda: dreambooth("")
        if model != XL:  # of SDXL's two text encoders only LoRAs are trained
            yield f"dreambooth +text, {name}", prompt, lambda: dreambooth("-text", "--text-encoder")


def compare(name, model, prompt, over, folder, plain):
    a, b = theirs(model, prompt, **over), ours(model, prompt, folder / "out.png", **over)
    largest, square = abs(a - b).max(), ((a - b) ** 2).mean()
    change = abs(a - plain).max()
    decibels = math.inf if square == 0 else 10 * math.log10(255 ** 2 / square)
    ok = largest <= LARGEST and change >= CHANGE
    print(f"{name:32}{largest:8}{decibels:8.1f}{change:8}  {'ok' if ok else 'FAILED'}", flush=True)
    return ok


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", type=pathlib.Path, help="folder for what is trained")
    parser.add_argument("--only", default="", help="cases whose names contain this")
    args = parser.parse_args()
    for library in (diffusers_logging, transformers_logging):
        library.set_verbosity_error()
        library.disable_progress_bar()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        single_file(folder / "single.safetensors")
        plain, failed = {}, 0
        print(f"{'':32}{'largest':>8}{'dB':>8}{'change':>8}")
        for name, prompt, train in cases(folder):
            if args.only not in name:
                continue
            key = XL if name.endswith("SDXL") else SD, prompt.replace("<teal>", "the")
            if key not in plain:
                plain[key] = theirs(*key)
            try:
                model, over = train()
                failed += not compare(name, model, prompt, over, folder, plain[key])
            except Exception as error:
                failed += 1
                print(f"{name:32}  FAILED: {type(error).__name__}: {error}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
