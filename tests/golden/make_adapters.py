"""Goldens of IP-Adapter and T2I-Adapter: tiny adapters with random weights under the names of the
published files, and what diffusers computes from them in float32 on a CPU.

    python tests/golden/make_adapters.py     # writes tests/golden/models/{ip_*,t2i_*,unet_image_prompt}

Packages: torch, safetensors, diffusers 0.42.1; the versions are in tests/golden/models/versions.json.
"""
import json
import pathlib

import torch
from diffusers import T2IAdapter, UNet2DConditionModel
from safetensors.torch import save_file

OUT = pathlib.Path(__file__).parent / "models"
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
g = torch.Generator().manual_seed(5)
rand = lambda *shape, scale=0.3: torch.randn(*shape, generator=g) * scale


def save(name, weights, cases, config):
    folder = OUT / name
    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in weights.items()}, folder / "model.safetensors")
    save_file({f"{c}/{k}": v.contiguous() for c, io in cases.items() for k, v in io.items()}, folder / "io.safetensors")
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    print(name, sum(f.stat().st_size for f in folder.iterdir()) // 1024, "KiB")


def liven(model):
    for n, p in model.named_parameters():
        p.data.copy_(p.data + rand(*p.shape, scale=0.1) if p.ndim == 1 else rand(*p.shape, scale=0.2))
    return model.eval()


def new_unet(**config):
    torch.manual_seed(9)
    model = UNet2DConditionModel(**{**dict(
        sample_size=8, block_out_channels=(8, 16, 16), norm_num_groups=4, layers_per_block=1, attention_head_dim=2,
        cross_attention_dim=12, down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D")), **config})
    for n, p in model.named_parameters():
        if p.ndim == 1:
            p.data.add_(rand(*p.shape, scale=0.1))
    return model.eval()


CROSS, EMBED = 12, 10


def cross_attention(unet):
    """The adapters' own layers, numbered as in the published files."""
    state, k = {}, 1
    for name in unet.attn_processors:
        if "attn2" in name:
            width = unet.get_submodule(name.removesuffix(".processor")).to_q.out_features
            state[f"{k}.to_k_ip.weight"] = rand(width, CROSS)
            state[f"{k}.to_v_ip.weight"] = rand(width, CROSS)
            k += 2
    return state


def layer(i, hidden, inner):
    p = f"layers.{i}."
    norm = lambda n: {p + n + ".weight": 1 + rand(hidden), p + n + ".bias": rand(hidden)}
    return {**norm("0.norm1"), **norm("0.norm2"), p + "0.to_q.weight": rand(inner, hidden),
            p + "0.to_kv.weight": rand(2 * inner, hidden), p + "0.to_out.weight": rand(hidden, inner),
            **norm("1.0"), p + "1.1.weight": rand(4 * hidden, hidden), p + "1.3.weight": rand(hidden, 4 * hidden)}


PROJECTIONS = {
    "pooled": {"proj.weight": rand(4 * CROSS, EMBED), "proj.bias": rand(4 * CROSS), "norm.weight": 1 + rand(CROSS), "norm.bias": rand(CROSS)},
    "plus": {"latents": rand(1, 3, 16), "proj_in.weight": rand(16, EMBED), "proj_in.bias": rand(16),
             **{k: v for i in range(4) for k, v in layer(i, 16, 64).items()},
             "proj_out.weight": rand(CROSS, 16), "proj_out.bias": rand(CROSS), "norm_out.weight": 1 + rand(CROSS), "norm_out.bias": rand(CROSS)},
    "full": {"proj.0.weight": rand(EMBED, EMBED), "proj.0.bias": rand(EMBED), "proj.2.weight": rand(CROSS, EMBED), "proj.2.bias": rand(CROSS),
             "proj.3.weight": 1 + rand(CROSS), "proj.3.bias": rand(CROSS)},
}
unet = new_unet()
plain = {k: v.clone() for k, v in unet.state_dict().items()}
adapters = {kind: {"image_proj": proj, "ip_adapter": cross_attention(unet)} for kind, proj in PROJECTIONS.items()}
both = [adapters["pooled"], adapters["plus"]]
unet._load_ip_adapter_weights(both, low_cpu_mem_usage=False)
for processor in unet.attn_processors.values():
    if hasattr(processor, "scale"):
        processor.scale = [0.7, 0.4]
sample, states = rand(2, 4, 9, 8, scale=1), rand(2, 5, CROSS, scale=1)
pooled, penultimate = rand(2, 1, EMBED, scale=1), rand(2, 1, 6, EMBED, scale=1)
projections = unet.encoder_hid_proj.image_projection_layers
with torch.no_grad():
    out = unet(sample, torch.tensor(321.0), states, added_cond_kwargs=dict(image_embeds=[pooled, penultimate])).sample
    tokens = [projections[0](pooled[:, 0]), projections[1](penultimate[:, 0])]
save("unet_image_prompt", plain, {"two": dict(
    sample=sample, timestep=torch.tensor(321.0), encoder_hidden_states=states, noise_prediction=out,
    image_tokens_0=tokens[0], image_scale_0=torch.tensor([0.7]), image_tokens_1=tokens[1], image_scale_1=torch.tensor([0.4]),
)}, dict(new_unet().config))
unet2 = new_unet()
unet2._load_ip_adapter_weights([adapters["full"]], low_cpu_mem_usage=False)
with torch.no_grad():
    full = unet2.encoder_hid_proj.image_projection_layers[0](penultimate[:, 0])
for kind, image_states, image_tokens in (("pooled", pooled, tokens[0]), ("plus", penultimate[:, 0], tokens[1]), ("full", penultimate[:, 0], full)):
    flat = {f"{part}.{k}": v for part, w in adapters[kind].items() for k, v in w.items()}
    save(f"ip_{kind}", flat, {"two": dict(image_states=image_states, image_tokens=image_tokens)}, {})

# --- T2I-Adapter ---------------------------------------------------------------------------------
for kind, in_channels, channels, factor, config in (
    ("full_adapter", 3, [8, 16, 16], 4, {}),
    ("full_adapter_xl", 3, [8, 16, 16, 16], 4, dict(
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"))),
    ("light_adapter", 1, [8, 16], 4, {}),
):
    adapter = liven(T2IAdapter(in_channels=in_channels, channels=channels, num_res_blocks=2, downscale_factor=factor, adapter_type=kind))
    latents = 8 if kind != "full_adapter_xl" else 16
    # XL's features begin at half the size of the latents.
    side = factor * (latents // 2 if kind == "full_adapter_xl" else latents)
    image = torch.rand(1, in_channels, side, side, generator=g)
    unet = new_unet(**config)
    with torch.no_grad():
        features = adapter(image)
        io = dict(adapter_image=image, **{f"down_intrablock_additional_residuals_{i}": f for i, f in enumerate(features)})
        sample, states = rand(1, 4, latents, latents, scale=1), rand(1, 5, CROSS, scale=1)
        if kind != "light_adapter":
            out = unet(sample, torch.tensor(77.0), states, down_intrablock_additional_residuals=[f.clone() for f in features]).sample
            u = dict(sample=sample, timestep=torch.tensor(77.0), encoder_hidden_states=states, noise_prediction=out,
                     **{k: v for k, v in io.items() if k.startswith("down")})
            save(f"unet_{kind}", unet.state_dict(), {"one": u}, dict(unet.config))
    save(f"t2i_{kind}", adapter.state_dict(), {"one": io}, dict(adapter.config, _class_name="T2IAdapter"))
