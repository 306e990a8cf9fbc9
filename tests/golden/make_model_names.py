"""Names and shapes of the full-size models, as diffusers folders and as single files.

    python tests/golden/make_model_names.py   # after make_models.py, whose weights it uses

Writes tests/golden/models/names_{sd15,sd21,sdxl}.json.gz: for each network {name: shape} of a
diffusers folder (models made on torch's meta device, no weights), and "single_file" with the names
of a checkpoint of the LDM code base, made by the inverse maps below and then checked by turning it
back with diffusers' own converters. And ldm_sdxl.safetensors: the tiny networks unet_sdxl, vae_sd,
text_quick_gelu and text_projection in one file with those names.
"""
import gzip
import json
import pathlib
import re

import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from diffusers.loaders import single_file_utils as convert
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

OUT = pathlib.Path(__file__).parent / "models"
RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
          "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}
WHOLE = {"time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
         "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
         "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2"}


def ldm_unet(names, layers):
    """{diffusers name: LDM name}; `layers` per block of the way down."""
    out = {}
    for name in names:
        stem, kind = name.rsplit(".", 1)
        if stem in WHOLE:
            out[name] = f"{WHOLE[stem]}.{kind}"
            continue
        side, rest = re.match(r"(down_blocks|mid_block|up_blocks)\.(.+)", stem).groups()
        if side == "mid_block":
            what, i, inner = re.match(r"(resnets|attentions)\.(\d)\.(.+)", rest).groups()
            number = 1 if what == "attentions" else 2 * int(i)
            out[name] = f"middle_block.{number}.{RESNET.get(inner, inner)}.{kind}"
            continue
        b, what, i, inner = re.match(r"(\d+)\.(\w+)\.(\d+)\.(.+)", rest).groups()
        b, i = int(b), int(i)
        if what == "downsamplers":
            out[name] = f"input_blocks.{(b + 1) * (layers + 1)}.0.op.{kind}"
        elif what == "upsamplers":
            attends = any(n.startswith(f"up_blocks.{b}.attentions") for n in names)
            out[name] = f"output_blocks.{b * (layers + 1) + layers}.{2 if attends else 1}.conv.{kind}"
        else:
            number = b * (layers + 1) + i + (1 if side == "down_blocks" else 0)
            blocks = "input_blocks" if side == "down_blocks" else "output_blocks"
            out[name] = f"{blocks}.{number}.{0 if what == 'resnets' else 1}.{RESNET.get(inner, inner)}.{kind}"
    return out


def ldm_controlnet(names, layers):
    out = ldm_unet([n for n in names if not n.startswith("controlnet_")], layers)
    for name in names:
        n = name.replace("controlnet_mid_block", "middle_block_out.0")
        n = re.sub(r"controlnet_down_blocks\.(\d+)", r"zero_convs.\1.0", n)
        n = n.replace("controlnet_cond_embedding.conv_in", "input_hint_block.0")
        n = n.replace("controlnet_cond_embedding.conv_out", "input_hint_block.14")
        n = re.sub(r"controlnet_cond_embedding\.blocks\.(\d)", lambda m: f"input_hint_block.{2 * int(m[1]) + 2}", n)
        if n != name:
            out[name] = n
    return out


def ldm_vae(names, blocks):
    out = {}
    for name in names:
        n = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
        n = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", n)
        for new, old in (("group_norm", "norm"), ("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "proj_out")):
            n = n.replace(f"mid_block.attentions.0.{new}.", f"mid.attn_1.{old}.")
        n = re.sub(r"down_blocks\.(\d)\.resnets", r"down.\1.block", n)
        n = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", n)
        n = re.sub(r"up_blocks\.(\d)\.resnets", lambda m: f"up.{blocks - 1 - int(m[1])}.block", n)
        n = re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up.{blocks - 1 - int(m[1])}.upsample", n)
        out[name] = n
    return out


def open_clip(state):
    """A transformers text encoder's tensors (names with text_model.) as OpenCLIP has them."""
    out = {}
    for name, t in state.items():
        n = name.removeprefix("text_model.")
        if n == "text_projection.weight":
            out["text_projection"] = t.T.contiguous()
            continue
        n = n.replace("embeddings.position_embedding.weight", "positional_embedding")
        n = n.replace("embeddings.token_embedding", "token_embedding").replace("final_layer_norm", "ln_final")
        n = n.replace("encoder.layers.", "transformer.resblocks.")
        n = n.replace("layer_norm", "ln_").replace("self_attn", "attn").replace("mlp.fc1", "mlp.c_fc").replace("mlp.fc2", "mlp.c_proj")
        if ".attn.q_proj." in n:
            parts = [state[name.replace("q_proj", f"{x}_proj")] for x in "qkv"]
            n = n.replace("q_proj.", "in_proj_")
            t = torch.cat(parts)
        elif ".attn.k_proj." in n or ".attn.v_proj." in n:
            continue
        out[n] = t
    return out


def full(name):
    return name if name.startswith(("text_model.", "text_projection")) else f"text_model.{name}"


def single_file(unet, layers, vae, vae_blocks, clip=None, clip_prefix="", openclip=None, openclip_prefix=""):
    out = {}
    names = ldm_unet(list(unet), layers)
    out.update({"model.diffusion_model." + names[k]: v for k, v in unet.items()})
    names = ldm_vae(list(vae), vae_blocks)
    for k, v in vae.items():
        if "attentions" in k and v.ndim == 2:
            v = v[:, :, None, None]
        out["first_stage_model." + names[k]] = v
    for k, v in (clip or {}).items():
        out[clip_prefix + k] = v
    for k, v in open_clip(openclip or {}).items():
        out[openclip_prefix + k] = v
    return out


def same(a, b):
    assert {k: tuple(v.shape) for k, v in a.items()} == {k: tuple(v.shape) for k, v in b.items()}
    if next(iter(a.values())).device.type != "meta":
        assert all(torch.equal(a[k], b[k]) for k in a)


def check(ldm, unet, unet_config, vae, vae_config, openclip, prefix):
    same(convert.convert_ldm_unet_checkpoint(ldm, unet_config), unet)
    same(convert.convert_ldm_vae_checkpoint(ldm, vae_config), vae)
    if openclip:
        class Model:
            config = type("C", (), {"hidden_size": openclip["text_model.final_layer_norm.weight"].shape[0]})
        got = convert.convert_open_clip_checkpoint(Model, ldm, prefix)
        same({full(k): v for k, v in got.items()}, openclip)


def write(name, parts, ldm):
    shapes = lambda state: {k: list(v.shape) for k, v in state.items()}
    data = {part: shapes(state) for part, state in parts.items()} | {"single_file": shapes(ldm)}
    (OUT / f"names_{name}.json.gz").write_bytes(gzip.compress(json.dumps(data, separators=(",", ":")).encode(), mtime=0))
    print(name, {k: len(v) for k, v in data.items()})


def main():
    with torch.device("meta"):
        vae = AutoencoderKL(block_out_channels=(128, 256, 512, 512), layers_per_block=2,
                            down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4)
        sd15 = UNet2DConditionModel(cross_attention_dim=768)
        sd21 = UNet2DConditionModel(cross_attention_dim=1024, attention_head_dim=(5, 10, 20, 20), use_linear_projection=True)
        sdxl = UNet2DConditionModel(
            cross_attention_dim=2048, attention_head_dim=(5, 10, 20), use_linear_projection=True,
            block_out_channels=(320, 640, 1280), transformer_layers_per_block=(1, 2, 10),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            addition_embed_type="text_time", addition_time_embed_dim=256, projection_class_embeddings_input_dim=2816)
        control = ControlNetModel(cross_attention_dim=768)
        clip_l = CLIPTextModel(CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_attention_heads=12))
        clip_h = CLIPTextModel(CLIPTextConfig(hidden_size=1024, intermediate_size=4096, num_attention_heads=16,
                                              num_hidden_layers=23, hidden_act="gelu"))
        clip_g = CLIPTextModelWithProjection(CLIPTextConfig(hidden_size=1280, intermediate_size=5120, num_attention_heads=20,
                                                            num_hidden_layers=32, hidden_act="gelu", projection_dim=1280))
    states = {k: {full(n) if k.startswith("clip") else n: t for n, t in m.state_dict().items()} for k, m in
              dict(vae=vae, control=control, sd15=sd15, sd21=sd21, sdxl=sdxl, clip_l=clip_l, clip_h=clip_h, clip_g=clip_g).items()}
    v = (states["vae"], 4)
    l1, l2 = "cond_stage_model.transformer.", "cond_stage_model.model."
    x1, x2 = "conditioner.embedders.0.transformer.", "conditioner.embedders.1.model."
    ldm = single_file(states["sd15"], 2, *v, states["clip_l"], l1)
    check(ldm, states["sd15"], sd15.config, states["vae"], vae.config, None, "")
    names = ldm_controlnet(list(states["control"]), 2)
    single = {f"control_model.{names[k]}": v for k, v in states["control"].items()}
    same(convert.convert_controlnet_checkpoint(dict(single), control.config), states["control"])
    write("sd15", dict(unet=states["sd15"], vae=states["vae"], text_encoder=states["clip_l"],
                       controlnet=states["control"], controlnet_single_file=single), ldm)
    ldm = single_file(states["sd21"], 2, *v, openclip=states["clip_h"], openclip_prefix=l2)
    check(ldm, states["sd21"], sd21.config, states["vae"], vae.config, states["clip_h"], l2)
    # The published file has the 24th layer, which neither diffusers nor we use.
    ldm |= {k.replace("resblocks.0.", "resblocks.23."): t for k, t in ldm.items() if "resblocks.0." in k}
    write("sd21", dict(unet=states["sd21"], vae=states["vae"], text_encoder=states["clip_h"]), ldm)
    ldm = single_file(states["sdxl"], 2, *v, states["clip_l"], x1, states["clip_g"], x2)
    check(ldm, states["sdxl"], sdxl.config, states["vae"], vae.config, states["clip_g"], x2)
    write("sdxl", dict(unet=states["sdxl"], vae=states["vae"], text_encoder=states["clip_l"],
                       text_encoder_2=states["clip_g"]), ldm)

    tiny = {k: load_file(OUT / k / "model.safetensors") for k in ("unet_sdxl", "vae_sd", "text_quick_gelu", "text_projection")}
    for t in ("text_quick_gelu", "text_projection"):
        tiny[t].pop("text_model.embeddings.position_ids")
    ldm = single_file(tiny["unet_sdxl"], 1, tiny["vae_sd"], 3, tiny["text_quick_gelu"], x1, tiny["text_projection"], x2)
    check(ldm, tiny["unet_sdxl"], json.loads((OUT / "unet_sdxl/config.json").read_text()), tiny["vae_sd"],
          json.loads((OUT / "vae_sd/config.json").read_text()), tiny["text_projection"], x2)
    save_file({k: v.contiguous() for k, v in ldm.items()}, OUT / "ldm_sdxl.safetensors", metadata={"format": "pt"})


main()
