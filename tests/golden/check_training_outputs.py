"""Loads what `latent train` wrote with diffusers and peft, and compares a U-Net prediction.

    python check_training_outputs.py MODEL [--embedding FILE] [--lora FILE] [--folder DIR]

MODEL is the diffusers folder that was trained on. For each result: diffusers must load it, know
the new word, and the noise prediction must differ from the untrained model's. Prints one line
each; exits with 1 at the first failure. Run with diffusers 0.42.1, peft 0.21.2, torch 2.15.0.
"""
import argparse
import sys
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file


def prediction(pipe, prompt):
    ids = pipe.tokenizer(
        prompt,
        padding="max_length",
        max_length=pipe.tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    ).input_ids
    side = pipe.unet.config.sample_size
    torch.manual_seed(0)
    sample = torch.randn(1, pipe.unet.config.in_channels, side, side)
    with torch.no_grad():
        states = pipe.text_encoder(ids)[0]
        return pipe.unet(sample, 500, states).sample, ids


def open_pipe(folder):
    return StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)


def check(ok, what):
    print(("ok    " if ok else "FAILED ") + what)
    if not ok:
        sys.exit(1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--embedding")
    parser.add_argument("--lora")
    parser.add_argument("--folder")
    args = parser.parse_args()
    prompt = "a seven on a white background"
    before, _ = prediction(open_pipe(args.model), prompt)

    if args.embedding:
        pipe = open_pipe(args.model)
        token = next(iter(load_file(args.embedding)))
        pipe.load_textual_inversion(args.embedding)
        said, ids = prediction(pipe, f"a {token} seven on a white background")
        id = pipe.tokenizer.convert_tokens_to_ids(token)
        check(id in ids[0].tolist(), f"embedding: {token} is token {id} of the prompt")
        table = pipe.text_encoder.get_input_embeddings().weight
        vector = load_file(args.embedding)[token].reshape(-1, table.shape[1])[0]
        check(torch.equal(table[id], vector), "embedding: the vector is the file's")
        check((said - before).abs().max() > 1e-3, "embedding: changes the prediction")

    if args.lora:
        pipe = open_pipe(args.model)
        pipe.load_lora_weights(args.lora)
        adapters = pipe.get_list_adapters()
        layers = sum("lora_B" in n for n, _ in pipe.unet.named_modules() if n.endswith("default_0"))
        downs = [k for k in load_file(args.lora) if k.endswith(("lora_down.weight", "lora_A.weight"))]
        unet = [k for k in downs if k.startswith(("lora_unet", "unet."))]
        check(layers == len(unet), f"lora: all {len(unet)} layers of the U-Net loaded: {adapters}")
        said, _ = prediction(pipe, prompt)
        change = (said - before).abs().max().item()
        check(change > 1e-3, f"lora: changes the prediction by {change:.4f}")
        print(f"      lora prediction: {said.flatten()[:4].tolist()}")

    if args.folder:
        said, _ = prediction(open_pipe(args.folder), prompt)
        change = (said - before).abs().max().item()
        check(change > 1e-4, f"folder: opens, and changes the prediction by {change:.4f}")


main()
