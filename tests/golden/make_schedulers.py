"""Runs diffusers' schedulers with a closed-form network and records what they did.

    python make_schedulers.py [NAME...]  # writes schedulers/*.json.gz beside this file

Needs torch, diffusers 0.42.1, scipy; for k_diffusion.json.gz also k-diffusion 0.1.1. Nothing is random: start, noise and network are formulas that
tests/schedulers/fake_network.ts repeats in float32.

One file a scheduler class: {"versions", "cases": [{name, config, request, timesteps, sigmas,
initial, latents, draws}]}; numbers are little-endian float32 in base64. "latents" holds the sample
before the run and after each call, 16 values each.
"""

import base64
import gzip
import importlib
import importlib.util
import inspect
import json
import pathlib
import platform
import sys
import types
import warnings

import diffusers
import numpy as np
import scipy
import torch

warnings.filterwarnings("ignore")
diffusers.logging.set_verbosity_error()
torch.set_num_threads(1)

SHAPE = (2, 1, 2, 4)
N = 16
index = np.arange(N)
START = (((index * 7 + 3) % 16 - 7.5) / 5).astype(np.float32)
CLEAN = (((index * 5 + 1) % 16 - 7.5) / 9).astype(np.float32)
WAVE = (((index * 11 + 5) % 16 - 7.5) / 16).astype(np.float32)


def noise(k):
    return (((index * 3 + k * 7 + k * index) % 16 - 7.5) / 5).astype(np.float32)


def tensor(values):
    return torch.from_numpy(values.copy()).reshape(SHAPE)


def network(x, t):
    """x / (1 + |x|) * (0.5 + t / 2000) + wave, each operation rounded to float32."""
    slope = torch.tensor(t, dtype=torch.float32) / 2000 + 0.5
    return x / (1 + x.abs()) * slope + tensor(WAVE)


def b64(values):
    return base64.b64encode(np.asarray(values, dtype="<f4").tobytes()).decode()


class Draws:
    def __init__(self):
        self.count = 0

    def __call__(self, *_, **__):
        self.count += 1
        return tensor(noise(self.count))


def run(name, cls, config, request):
    request = dict(request)
    steps, start = request.get("steps"), request.get("start")
    scheduler = getattr(diffusers, cls).from_config({**BASE, **config})
    module = importlib.import_module(type(scheduler).__module__)
    draws = Draws()
    module.randn_tensor = draws
    keywords = {k: request[k] for k in ("timesteps", "sigmas", "mu") if k in request}
    if steps is not None:
        keywords["num_inference_steps"] = steps
    scheduler.set_timesteps(**keywords)
    timesteps = scheduler.timesteps
    initial = float(scheduler.init_noise_sigma) if hasattr(scheduler, "init_noise_sigma") else 1.0
    x = tensor(START) * initial
    if hasattr(scheduler, "noise_sampler") and "noise_sampler_seed" not in config:
        scheduler.noise_sampler = BrownianDraws(draws)
    begin = (start or 0) * scheduler.order
    if hasattr(scheduler, "set_begin_index"):
        # Without it, a first timestep that rounds to the second one's makes diffusers run off the end.
        scheduler.set_begin_index(begin)
    if start is not None:
        timesteps = timesteps[begin:]
        x = scheduler.add_noise(tensor(CLEAN), tensor(START), timesteps[:1])
    extra = {}
    if "eta" in request and "eta" in inspect.signature(scheduler.step).parameters:
        extra["eta"] = request["eta"]
    latents = [x.flatten().numpy().copy()]
    scale = getattr(scheduler, "scale_model_input", lambda value, _: value)
    for t in timesteps:
        output = network(scale(x, t), float(t))
        x = scheduler.step(output, t, x, **extra).prev_sample
        latents.append(x.flatten().numpy().copy())
    assert all(np.isfinite(v).all() for v in latents), name
    case = {
        "name": name,
        "config": {"_class_name": cls, **BASE, **config},
        "request": request,
        "timesteps": b64(timesteps.numpy()),
        "initial": initial,
        "latents": b64(np.concatenate(latents)),
        "draws": draws.count,
    }
    if hasattr(scheduler, "sigmas"):
        case["sigmas"] = b64(np.array([float(s) for s in scheduler.sigmas]))
    return case


class BrownianDraws:
    """Stands in for a Brownian path: increments of disjoint pieces are draws, sums are sums."""

    def __init__(self, draws):
        self.draws, self.held = draws, None

    def __call__(self, sigma, sigma_next):
        high, low = float(sigma), float(sigma_next)
        z = self.draws()
        if self.held is not None and self.held[0] == high and low < self.held[1]:
            _, middle, first = self.held
            self.held = None
            return ((high - middle) ** 0.5 * first + (middle - low) ** 0.5 * z) / (high - low) ** 0.5
        self.held = (high, low, z)
        return z


BASE = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
}
STEPS = (1, 2, 5, 20, 50)
SPACINGS = ("leading", "linspace", "trailing")


def cases(cls, variants, steps=STEPS):
    """(name, class, config, request) for each variant and step count."""
    for label, config, request in variants:
        for n in [None] if "timesteps" in request or "sigmas" in request else steps:
            wanted = {**request, **({"steps": n} if n else {})}
            if wanted.get("start") is not None and (n or 99) <= wanted["start"]:
                continue
            yield f"{label}, {n or 'given'} steps", cls, config, wanted


def spaced(**config):
    for spacing in SPACINGS:
        offset = 1 if spacing == "leading" else 0
        yield spacing, {"timestep_spacing": spacing, "steps_offset": offset, **config}, {}


def predictions(*names, **config):
    for name in names:
        yield name, {"prediction_type": name, **config}, {}


SIGMAS = [
    (kind, {f"use_{kind}_sigmas": True, "timestep_spacing": spacing, "steps_offset": 1}, {})
    for kind in ("karras", "exponential", "beta")
    for spacing in ("leading", "linspace")
]
NO_ONE = {"set_alpha_to_one": False, "steps_offset": 1, "clip_sample": False}
ZERO_SNR = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing", "prediction_type": "v_prediction"}
FEW = [700, 500, 300, 100, 10]

PLANS = {
    "DDIMScheduler": [
        *spaced(clip_sample=False),
        *predictions("v_prediction", "sample", **NO_ONE),
        ("eta 1", NO_ONE, {"eta": 1.0}),
        ("eta 0.3 v", {**NO_ONE, "prediction_type": "v_prediction"}, {"eta": 0.3}),
        ("clipped", {"clip_sample_range": 0.8, "steps_offset": 1}, {}),
        ("clipped eta", {"clip_sample_range": 0.8, "steps_offset": 1}, {"eta": 0.5}),
        ("thresholding", {"thresholding": True, "sample_max_value": 1.5, "dynamic_thresholding_ratio": 0.9}, {}),
        ("zero snr", {**ZERO_SNR, "clip_sample": False}, {}),
        ("from step 2", NO_ONE, {"start": 2}),
    ],
    "PNDMScheduler": [
        *spaced(skip_prk_steps=True),
        ("SD 1.5", {"skip_prk_steps": True, "set_alpha_to_one": False, "steps_offset": 1}, {}),
        ("v", {"skip_prk_steps": True, "prediction_type": "v_prediction", "steps_offset": 1}, {}),
        ("from step 2", {"skip_prk_steps": True, "steps_offset": 1}, {"start": 2}),
        ("Runge-Kutta", {"skip_prk_steps": False, "steps_offset": 1}, {}),
        ("Runge-Kutta v", {"skip_prk_steps": False, "prediction_type": "v_prediction"}, {}),
    ],
    "EulerDiscreteScheduler": [
        *spaced(),
        *predictions("v_prediction", "sample"),
        *SIGMAS,
        ("zero snr", ZERO_SNR, {}),
        ("log linear", {"interpolation_type": "log_linear"}, {}),
        ("sigma_min", {"final_sigmas_type": "sigma_min"}, {}),
        ("continuous v", {"timestep_type": "continuous", "prediction_type": "v_prediction"}, {}),
        ("given timesteps", {}, {"timesteps": FEW}),
        ("given sigmas", {}, {"sigmas": [14.0, 5.0, 2.0, 0.5, 0.0]}),
        ("from step 2", {"timestep_spacing": "leading", "steps_offset": 1}, {"start": 2}),
        ("cosine", {"beta_schedule": "squaredcos_cap_v2", "timestep_spacing": "leading"}, {}),
        ("linear", {"beta_schedule": "linear"}, {}),
    ],
    "EulerAncestralDiscreteScheduler": [
        *spaced(),
        *predictions("v_prediction"),
        ("zero snr", ZERO_SNR, {}),
        ("from step 2", {"timestep_spacing": "leading", "steps_offset": 1}, {"start": 2}),
    ],
    "DPMSolverMultistepScheduler": [
        *spaced(),
        *predictions("v_prediction", "sample"),
        *SIGMAS,
        ("lu", {"use_lu_lambdas": True}, {}),
        ("flow sigmas", {"use_flow_sigmas": True, "flow_shift": 3.0, "prediction_type": "flow_prediction"}, {}),
        ("order 1", {"solver_order": 1}, {}),
        ("order 3", {"solver_order": 3}, {}),
        ("heun", {"solver_type": "heun"}, {}),
        ("euler at final", {"euler_at_final": True, "final_sigmas_type": "sigma_min"}, {}),
        ("no lower order", {"lower_order_final": False, "final_sigmas_type": "sigma_min", "solver_order": 3}, {}),
        ("thresholding", {"thresholding": True, "sample_max_value": 1.5, "dynamic_thresholding_ratio": 0.9}, {}),
        ("lambda clipped", {"lambda_min_clipped": -2.0}, {}),
        ("zero snr", ZERO_SNR, {}),
        ("sde", {"algorithm_type": "sde-dpmsolver++"}, {}),
        ("sde karras", {"algorithm_type": "sde-dpmsolver++", "use_karras_sigmas": True}, {}),
        ("sde heun v", {"algorithm_type": "sde-dpmsolver++", "solver_type": "heun", "prediction_type": "v_prediction"}, {}),
        ("sde order 3", {"algorithm_type": "sde-dpmsolver++", "solver_order": 3}, {}),
        *[
            (f"{a} {k} {o}", {"algorithm_type": a, "solver_type": k, "solver_order": o, "final_sigmas_type": "sigma_min"}, {})
            for a, k, o in [("dpmsolver", "midpoint", 2), ("dpmsolver", "heun", 2), ("dpmsolver", "heun", 3),
                            ("sde-dpmsolver", "midpoint", 2), ("sde-dpmsolver", "heun", 2)]
        ],
        ("dpmsolver v", {"algorithm_type": "dpmsolver", "final_sigmas_type": "sigma_min", "prediction_type": "v_prediction"}, {}),
        ("dpmsolver thresholding", {"algorithm_type": "dpmsolver", "final_sigmas_type": "sigma_min", "thresholding": True, "sample_max_value": 1.5}, {}),
        ("given timesteps", {}, {"timesteps": FEW}),
        ("from step 2", {"solver_order": 3}, {"start": 2}),
    ],
    "LMSDiscreteScheduler": [
        *spaced(), *predictions("v_prediction", "sample"), *SIGMAS,
        ("from step 2", {"timestep_spacing": "leading", "steps_offset": 1}, {"start": 2}),
    ],
    "HeunDiscreteScheduler": [
        *spaced(), *predictions("v_prediction", "sample"), *SIGMAS,
        ("clipped", {"clip_sample": True, "clip_sample_range": 0.8}, {}),
        ("given timesteps", {}, {"timesteps": FEW}),
        ("from step 2", {"timestep_spacing": "leading", "steps_offset": 1}, {"start": 2}),
    ],
    "KDPM2DiscreteScheduler": [
        *spaced(), *predictions("v_prediction"), *SIGMAS,
        ("from step 2", {"timestep_spacing": "leading", "steps_offset": 1}, {"start": 2}),
    ],
    "KDPM2AncestralDiscreteScheduler": [
        *spaced(), *predictions("v_prediction"), *SIGMAS,
        ("from step 2", {"timestep_spacing": "leading", "steps_offset": 1}, {"start": 2}),
    ],
    "DPMSolverSinglestepScheduler": [
        *predictions("epsilon", "v_prediction", "sample"),
        *[(k, {f"use_{k}_sigmas": True}, {}) for k in ("karras", "exponential", "beta")],
        ("order 1", {"solver_order": 1}, {}),
        ("order 3", {"solver_order": 3}, {}),
        ("order 3 heun", {"solver_order": 3, "solver_type": "heun"}, {}),
        ("heun", {"solver_type": "heun"}, {}),
        ("sigma_min", {"final_sigmas_type": "sigma_min"}, {}),
        ("sigma_min order 3", {"final_sigmas_type": "sigma_min", "solver_order": 3, "lower_order_final": True}, {}),
        ("thresholding", {"thresholding": True, "sample_max_value": 1.5}, {}),
        ("lambda clipped", {"lambda_min_clipped": -2.0}, {}),
        ("sde", {"algorithm_type": "sde-dpmsolver++"}, {}),
        ("sde order 3 heun", {"algorithm_type": "sde-dpmsolver++", "solver_order": 3, "solver_type": "heun"}, {}),
        ("dpmsolver", {"algorithm_type": "dpmsolver", "final_sigmas_type": "sigma_min"}, {}),
        ("dpmsolver 3 heun", {"algorithm_type": "dpmsolver", "final_sigmas_type": "sigma_min", "solver_order": 3, "solver_type": "heun"}, {}),
        ("from step 3", {"solver_order": 3}, {"start": 3}),
    ],
    "DEISMultistepScheduler": [
        *spaced(), *predictions("v_prediction", "sample"), *SIGMAS,
        ("order 1", {"solver_order": 1}, {}),
        ("order 3", {"solver_order": 3}, {}),
        ("no lower order", {"solver_order": 3, "lower_order_final": False}, {}),
        ("thresholding", {"thresholding": True, "sample_max_value": 1.5}, {}),
        ("from step 2", {}, {"start": 2}),
    ],
    "UniPCMultistepScheduler": [
        *spaced(), *predictions("v_prediction", "sample"), *SIGMAS,
        ("bh1", {"solver_type": "bh1", "final_sigmas_type": "sigma_min"}, {}),
        ("order 1", {"solver_order": 1}, {}),
        ("order 3", {"solver_order": 3}, {}),
        ("order 3 bh1 v", {"solver_order": 3, "solver_type": "bh1", "final_sigmas_type": "sigma_min", "prediction_type": "v_prediction"}, {}),
        ("noise", {"predict_x0": False, "final_sigmas_type": "sigma_min"}, {}),
        ("noise v", {"predict_x0": False, "final_sigmas_type": "sigma_min", "prediction_type": "v_prediction"}, {}),
        ("no corrector at 0 and 1", {"disable_corrector": [0, 1]}, {}),
        ("no lower order", {"lower_order_final": False, "final_sigmas_type": "sigma_min", "solver_order": 3}, {}),
        ("karras sigma_min", {"use_karras_sigmas": True, "final_sigmas_type": "sigma_min"}, {}),
        ("flow sigmas", {"use_flow_sigmas": True, "flow_shift": 3.0, "prediction_type": "flow_prediction"}, {}),
        ("thresholding", {"thresholding": True, "sample_max_value": 1.5}, {}),
        ("zero snr", ZERO_SNR, {}),
        ("from step 2", {}, {"start": 2}),
    ],
    "LCMScheduler": [
        *predictions("epsilon", "v_prediction", "sample"),
        ("clipped", {"clip_sample": True, "clip_sample_range": 0.8}, {}),
        ("thresholding", {"thresholding": True, "sample_max_value": 1.5}, {}),
        ("given timesteps", {}, {"timesteps": [999, 759, 499, 259]}),
        ("from step 2", {}, {"start": 2}),
    ],
    "TCDScheduler": [
        *[(f"{p} eta {e}", {"prediction_type": p}, {"eta": e})
          for p in ("epsilon", "v_prediction", "sample") for e in (0.0, 0.3)],
        ("eta 1", {}, {"eta": 1.0}),
        ("given timesteps", {}, {"timesteps": [999, 759, 499, 259], "eta": 0.3}),
    ],
    "DDPMScheduler": [
        *spaced(clip_sample=False), *predictions("v_prediction", "sample", clip_sample=False),
        ("fixed_small_log", {"variance_type": "fixed_small_log", "clip_sample": False}, {}),
        ("fixed_large", {"variance_type": "fixed_large", "clip_sample": False}, {}),
        ("clipped", {"clip_sample_range": 0.8}, {}),
        ("thresholding", {"thresholding": True, "sample_max_value": 1.5}, {}),
        ("zero snr", {**ZERO_SNR, "clip_sample": False}, {}),
        ("given timesteps", {"clip_sample": False}, {"timesteps": FEW}),
        ("laplace", {"beta_schedule": "laplace", "clip_sample": False}, {}),
        ("sigmoid", {"beta_schedule": "sigmoid", "clip_sample": False}, {}),
    ],
    "DPMSolverSDEScheduler": [
        *spaced(), *predictions("v_prediction"), *SIGMAS,
        ("from step 2", {"timestep_spacing": "leading", "steps_offset": 1}, {"start": 2}),
        ("torchsde's path", {"noise_sampler_seed": 7, "use_karras_sigmas": True}, {}),
    ],
    "IPNDMScheduler": [("epsilon", {}, {})],
    "EDMEulerScheduler": [
        ("epsilon", {"prediction_type": "epsilon"}, {}), ("v", {"prediction_type": "v_prediction"}, {}),
        ("exponential", {"sigma_schedule": "exponential"}, {}),
        ("sigma_min", {"final_sigmas_type": "sigma_min"}, {}),
    ],
    "EDMDPMSolverMultistepScheduler": [
        ("epsilon", {"prediction_type": "epsilon"}, {}), ("v", {"prediction_type": "v_prediction"}, {}),
        ("order 3", {"solver_order": 3}, {}), ("heun", {"solver_type": "heun"}, {}),
        ("sde", {"algorithm_type": "sde-dpmsolver++"}, {}),
        ("exponential", {"sigma_schedule": "exponential"}, {}),
    ],
    "FlowMatchEulerDiscreteScheduler": [
        ("shift 1", {}, {}), ("shift 3", {"shift": 3.0}, {}),
        *[(k, {"shift": 3.0, f"use_{k}_sigmas": True}, {}) for k in ("karras", "exponential", "beta")],
        ("dynamic", {"use_dynamic_shifting": True}, {"mu": 0.8}),
        ("dynamic linear", {"use_dynamic_shifting": True, "time_shift_type": "linear"}, {"mu": 0.8}),
        ("terminal", {"shift_terminal": 0.1}, {}),
        ("inverted", {"invert_sigmas": True}, {}),
        ("stochastic", {"stochastic_sampling": True}, {}),
        ("given sigmas", {}, {"sigmas": [1.0, 0.7, 0.4, 0.1]}),
    ],
    "FlowMatchHeunDiscreteScheduler": [("shift 1", {}, {}), ("shift 3", {"shift": 3.0}, {})],
}


def versions():
    return {
        "diffusers": diffusers.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "machine": platform.machine(),
    }


def tables():
    """Noise tables: the squared signal and the sigmas of each beta schedule."""
    for schedule, start, end in [("scaled_linear", 0.00085, 0.012), ("linear", 0.0001, 0.02),
                                 ("squaredcos_cap_v2", 0.0001, 0.02), ("laplace", 0.0001, 0.02),
                                 ("sigmoid", 0.0001, 0.02)]:
        for zero in (False, True):
            scheduler = diffusers.DDPMScheduler(beta_schedule=schedule, beta_start=start, beta_end=end,
                                                rescale_betas_zero_snr=zero)
            product = scheduler.alphas_cumprod
            yield {
                "name": f"{schedule}{', zero snr' if zero else ''}",
                "config": {"beta_schedule": schedule, "beta_start": start, "beta_end": end,
                           "rescale_betas_zero_snr": zero},
                "alphas_cumprod": b64(product.numpy()),
                **({} if zero else {"sigmas": b64((((1 - product) / product) ** 0.5).numpy())}),
            }


def write(name, content):
    path = pathlib.Path(__file__).parent / "schedulers" / f"{name}.json.gz"
    path.parent.mkdir(exist_ok=True)
    text = json.dumps({"versions": versions(), **content}, separators=(",", ":"))
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def k_diffusion_sampling():
    """k_diffusion.sampling alone: the package's other modules want far more than a sampler does."""
    package = importlib.util.find_spec("k_diffusion")
    stub = types.ModuleType("k_diffusion")
    stub.__path__ = list(package.submodule_search_locations)
    utils = types.ModuleType("k_diffusion.utils")
    utils.append_dims = lambda x, n: x[(...,) + (None,) * (n - x.ndim)]
    sys.modules.update({"k_diffusion": stub, "k_diffusion.utils": utils})
    stub.utils = utils
    return importlib.import_module("k_diffusion.sampling")


def k_diffusion_cases():
    """Samplers that diffusers lacks, at given sigmas, with the same network seen as epsilon."""
    sampling = k_diffusion_sampling()
    table = diffusers.EulerDiscreteScheduler(**BASE)
    trained = (((1 - table.alphas_cumprod) / table.alphas_cumprod) ** 0.5).numpy()

    def model(x, sigma):
        sigma = sigma[0]
        t = table._sigma_to_t(np.float64(sigma), np.log(trained))
        return x - sigma * network(x / (sigma**2 + 1) ** 0.5, float(t))

    for n in (1, 2, 5, 20):
        karras = sampling.get_sigmas_karras(n, trained[0], trained[-1])
        for function, cls, extra in [
            ("dpmpp_2s_ancestral", "DPMPP2SAncestral", {"eta": 1.0}),
            ("dpmpp_2s_ancestral", "DPMPP2SAncestral", {"eta": 0.5}),
            ("dpmpp_3m_sde", "DPMPP3MSDE", {"eta": 1.0}),
            ("dpmpp_3m_sde", "DPMPP3MSDE", {"eta": 0.0}),
        ]:
            if n == 1 and cls == "DPMPP3MSDE":
                continue  # it fails there, for want of a step length
            draws, latents = Draws(), []
            x = getattr(sampling, f"sample_{function}")(
                model, tensor(START) * karras[0], karras, noise_sampler=draws, disable=True,
                callback=lambda info: latents.append(info["x"].flatten().numpy().copy()), **extra)
            latents.append(x.flatten().numpy().copy())
            yield {"name": f"{function} eta {extra['eta']}, {n} steps", "config": {"_class_name": cls, **BASE},
                   "request": {"sigmas": [float(s) for s in karras], **extra}, "timesteps": b64([]),
                   "initial": float(karras[0]), "latents": b64(np.concatenate(latents)), "draws": draws.count}
    for n in (1, 2, 3, 5, 7, 20):
        for eta in (0.0, 0.5):
            draws, latents = Draws(), []
            x = sampling.sample_dpm_fast(
                model, tensor(START) * float(trained[-1]), float(trained[0]), float(trained[-1]), n, eta=eta,
                noise_sampler=draws, disable=True,
                callback=lambda info: latents.append(info["x"].flatten().numpy().copy()))
            latents.append(x.flatten().numpy().copy())
            yield {"name": f"dpm_fast eta {eta}, {n} calls", "config": {"_class_name": "DPMFast", **BASE},
                   "request": {"sigmas": [float(trained[-1])] * n + [float(trained[0])], "eta": eta},
                   "timesteps": b64([]), "initial": float(trained[-1]), "latents": b64(np.concatenate(latents)),
                   "draws": draws.count if eta else 0}
    for n in (1, 2, 5, 20):
        karras = sampling.get_sigmas_karras(n, trained[0], trained[-1])
        churn = {"s_churn": 3.0, "s_tmin": 0.05, "s_tmax": 12.0, "s_noise": 1.003}
        for function, cls in [("euler", "EulerDiscreteScheduler"), ("heun", "HeunDiscreteScheduler")]:
            draws, latents = Draws(), []
            randn_like, torch.randn_like = torch.randn_like, draws
            # The callback comes after the churn: the sample before it is only seen without any.
            x = getattr(sampling, f"sample_{function}")(
                model, tensor(START) * karras[0], karras, disable=True, **churn)
            torch.randn_like = randn_like
            latents = [START * float(karras[0]), x.flatten().numpy()]
            yield {"name": f"{function} churned, {n} steps", "config": {"_class_name": cls, **BASE},
                   "request": {"sigmas": [float(s) for s in karras]},
                   "overrides": {"sChurn": 3.0, "sTmin": 0.05, "sTmax": 12.0, "sNoise": 1.003},
                   "timesteps": b64([]), "initial": float(karras[0]), "latents": b64(np.concatenate(latents)),
                   "draws": draws.count}
    tried = []
    x = sampling.sample_dpm_adaptive(
        model, tensor(START) * float(trained[-1]), float(trained[0]), float(trained[-1]), disable=True,
        callback=lambda info: tried.append(info["x"].flatten().numpy().copy()))
    yield {"name": "dpm_adaptive", "config": {"_class_name": "DPMAdaptive", **BASE}, "request": {"steps": 20},
           "timesteps": b64([]), "initial": float(trained[-1]), "latents": b64(np.concatenate(tried)), "draws": 0}


if __name__ == "__main__":
    only = sys.argv[1:]  # names of files, all if there are none
    if importlib.util.find_spec("k_diffusion") and (not only or "k_diffusion" in only):
        write("k_diffusion", {"cases": list(k_diffusion_cases())})
    else:
        print("k_diffusion is not installed: its file stays as it is")
    if not only:
        write("noise_tables", {"tables": list(tables())})
    for cls, variants in PLANS.items():
        if only and cls not in only:
            continue
        done = []
        for case in cases(cls, variants):
            try:
                done.append(run(case[0], *case[1:]))
            except Exception as error:  # diffusers refuses some combinations: print, leave out
                print(f"{cls}: {case[0]}: {type(error).__name__}: {str(error)[:140]}")
        write(cls, {"cases": done})
        print(cls, len(done))
