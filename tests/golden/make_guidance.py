"""Guidance as diffusers computes it, for tests/schedulers/guidance_test.ts.

Run: python tests/golden/make_guidance.py   (writes guidance.json beside itself)
"""

import json
import pathlib

import diffusers
import torch
from diffusers import DDPMScheduler
from diffusers.guiders.adaptive_projected_guidance import MomentumBuffer, normalized_guidance
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import rescale_noise_cfg

HERE = pathlib.Path(__file__).parent
SHAPE = (2, 4, 5, 3)


def randn(seed, spread=1.0):
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed)) * spread


def floats(tensor):
    return [float(x) for x in tensor.ravel()]


def cfg(uncond, cond, scale):
    return uncond + scale * (cond - uncond)


def projected(uncond, cond, later):
    rows = []
    for options in (
        {"scale": 7.5},
        {"scale": 7.5, "eta": 0.0},
        {"scale": 5.0, "eta": 0.3, "normThreshold": 2.5},
        {"scale": 10.0, "eta": 0.0, "normThreshold": 15.0, "momentum": -0.5},
    ):
        buffer = MomentumBuffer(options["momentum"]) if "momentum" in options else None
        rest = (options["scale"], buffer, options.get("eta", 1.0), options.get("normThreshold", 0.0))
        results = [normalized_guidance(cond, uncond, *rest), normalized_guidance(later, uncond, *rest)]
        rows.append({**options, "results": [floats(r) for r in results]})
    return rows


def threshold(sample, ratio, maximum):
    scheduler = DDPMScheduler(thresholding=True, dynamic_thresholding_ratio=ratio, sample_max_value=maximum)
    return floats(scheduler._threshold_sample(sample))


def main():
    uncond, cond, third = randn(1), randn(2, 1.3), randn(3, 0.8)
    golden = {
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "images": SHAPE[0],
        "uncond": floats(uncond),
        "cond": floats(cond),
        "third": floats(third),
        "cfg": [{"scale": s, "result": floats(cfg(uncond, cond, s))} for s in (0, 1, 1.3, 7.5, 30.1)],
        "edit": [
            {"scale": s, "imageScale": t,
             "result": floats(uncond + s * (cond - third) + t * (third - uncond))}
            for s, t in ((7.5, 1.5), (1, 1), (9.1, 0.3))
        ],
        "rescale": [
            {"amount": a, "result": floats(rescale_noise_cfg(cfg(uncond, cond, 7.5), cond, a))}
            for a in (0.0, 0.7, 1.0)
        ],
        "projected": projected(uncond, cond, third),
        "threshold": [
            {"ratio": r, "maximum": m, "result": threshold(randn(4, 2.0), r, m)}
            for r, m in ((0.995, 1.0), (0.9, 3.0), (0.5, 100.0), (0.99, 100.0))
        ],
        "thresholdSample": floats(randn(4, 2.0)),
    }
    (HERE / "guidance.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
