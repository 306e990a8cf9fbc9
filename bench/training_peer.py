"""One LoRA training step of a U-Net by PyTorch, diffusers and peft: time and peak memory.

    python bench/training_peer.py MODEL SIDE THREADS STEPS [--checkpointing]

Prints one JSON object a step. `latents`, prompt states and noise as bench/training.ts has them in
size; rank 4 on the attention, AdamW, gradients clipped, float32.
"""
import json
import resource
import sys
import threading
import time
import torch
import diffusers
import peft
from diffusers import UNet2DConditionModel
from peft import LoraConfig

own_kb = 0


def sample_own():
    """Keeps the most anonymous memory seen."""
    global own_kb
    while True:
        with open("/proc/self/status") as status:
            own_kb = max(own_kb, next(int(l.split()[1]) for l in status if l.startswith("RssAnon")))
        time.sleep(0.02)


threading.Thread(target=sample_own, daemon=True).start()
model, side, threads, steps = sys.argv[1], *map(int, sys.argv[2:5])
torch.set_num_threads(threads)
torch.manual_seed(0)
unet = UNet2DConditionModel.from_pretrained(model, subfolder="unet", torch_dtype=torch.float32)
unet.requires_grad_(False)
unet.add_adapter(
    LoraConfig(r=4, lora_alpha=4, target_modules=["to_q", "to_k", "to_v", "to_out.0"])
)
if "--checkpointing" in sys.argv:
    unet.enable_gradient_checkpointing()
unet.train()
parameters = [p for p in unet.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(parameters, lr=1e-4)
factor = int(sys.argv[sys.argv.index("--factor") + 1]) if "--factor" in sys.argv else 8
tokens = int(sys.argv[sys.argv.index("--tokens") + 1]) if "--tokens" in sys.argv else 77
shape = (1, unet.config.in_channels, side // factor, side // factor)
states = torch.full((1, tokens, unet.config.cross_attention_dim), 0.1)
for step in range(steps):
    began, cpu = time.perf_counter(), time.process_time()
    noise, timestep = torch.randn(shape), torch.randint(0, 1000, (1,))
    noisy = 0.7 * torch.full(shape, 0.1) + 0.714 * noise
    loss = torch.nn.functional.mse_loss(unet(noisy, timestep, states).sample, noise)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    optimizer.zero_grad()
    print(
        json.dumps(
            {
                "step": step,
                "seconds": round(time.perf_counter() - began, 3),
                "processor": round(time.process_time() - cpu, 3),
                "own_gb": round(own_kb * 1024 / 1e9, 3),
                "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 3),
                "loss": loss.item(),
                "versions": f"torch {torch.__version__} diffusers {diffusers.__version__} peft {peft.__version__}",
            }
        ),
        flush=True,
    )
