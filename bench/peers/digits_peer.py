"""Draws pictures by diffusers in float32: one batch for each line of standard input.

    python digits_peer.py MODEL STEPS BATCH

Answers each line with the seconds of processor time that it took.
"""

import sys
import time

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline

COLORS = ["red", "green", "blue", "yellow", "purple", "white"]
DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]

model, steps, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
pipe = StableDiffusionPipeline.from_pretrained(model, torch_dtype=torch.float32, variant="fp16")
pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
pipe.set_progress_bar_config(disable=True)
prompts = [f"a {COLORS[i % 6]} {DIGITS[i % 10]}" for i in range(batch)]
for _ in sys.stdin:
    before = time.process_time()
    seeds = [torch.Generator("cpu").manual_seed(i) for i in range(batch)]
    pipe(prompts, num_inference_steps=steps, guidance_scale=7.5, generator=seeds)
    print(time.process_time() - before, flush=True)
