"""One training step of the embedded model's whole U-Net by PyTorch and diffusers, float32.

    python bench/embedded_step_peer.py CONFIG BATCH THREADS STEPS

Prints one JSON object a step; sizes and work as bench/embedded_step.ts has them.
"""
import json
import sys
import time
import torch
from diffusers import UNet2DConditionModel

batch, threads, steps = map(int, sys.argv[2:5])
torch.set_num_threads(threads)
torch.manual_seed(0)
config = {k: v for k, v in json.load(open(sys.argv[1])).items() if not k.startswith("_")}
unet = UNet2DConditionModel.from_config(config)
parameters = list(unet.parameters())
optimizer = torch.optim.AdamW(parameters, lr=1e-5)
average = [p.detach().clone() for p in parameters]
for step in range(steps):
    latents, noise = torch.randn(batch, 4, 16, 16), torch.randn(batch, 4, 16, 16)
    signal, sigma = torch.rand(batch, 1, 1, 1), torch.rand(batch, 1, 1, 1)
    timestep, states = torch.randint(0, 1000, (batch,)), torch.randn(batch, 32, 128)
    began, processor = time.perf_counter(), time.process_time()
    said = unet(signal * latents + sigma * noise, timestep, states).sample
    loss = torch.nn.functional.mse_loss(said, noise)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    with torch.no_grad():
        torch._foreach_lerp_(average, [p.detach() for p in parameters], 0.001)
    print(
        json.dumps(
            {
                "seconds": time.perf_counter() - began,
                "processor": time.process_time() - processor,
            }
        ),
        flush=True,
    )
