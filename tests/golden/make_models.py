"""Goldens of the networks: tiny models with random weights, their inputs, and what diffusers and
transformers compute from them in float32 on a CPU.

    python tests/golden/make_models.py            # writes tests/golden/models/NAME/{config.json,
                                                  # model.safetensors, io.safetensors}

Packages: torch, safetensors, diffusers 0.42.1, transformers 5; the versions that made the stored
files are in tests/golden/models/versions.json. `io.safetensors` names its tensors CASE/NAME.
Models saved in half precision were rounded first: the outputs are those of the rounded weights.
"""
import json
import pathlib

import diffusers
import torch
import transformers
from diffusers import AutoencoderKL, AutoencoderTiny, ControlNetModel, LatentConsistencyModelPipeline, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from safetensors.torch import save_file
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

OUT = pathlib.Path(__file__).parent / "models"
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)


def liven(model, generator):
    """Random norms and biases, so that a forgotten or swapped one shows in the output."""
    for name, p in model.named_parameters():
        if p.ndim == 1:
            p.data.add_((0.2 if "norm" in name else 0.1) * torch.randn(p.shape, generator=generator))
        if "controlnet_" in name or "embedding" in name and p.ndim > 1:
            p.data.copy_(torch.randn(p.shape, generator=generator) * 0.2)
    return model.eval()


def save(name, model, cases, half=False, rename=lambda k: k, extra=None):
    folder = OUT / name
    folder.mkdir(parents=True, exist_ok=True)
    weights = {rename(k): v.contiguous() for k, v in model.state_dict().items()}
    if half:
        weights = {k: v.half() if v.is_floating_point() else v for k, v in weights.items()}
    weights.update(extra or {})
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    model.save_config(folder) if hasattr(model, "save_config") else model.config.save_pretrained(folder)
    save_file({f"{case}/{k}": v.contiguous() for case, io in cases.items() for k, v in io.items()},
              folder / "io.safetensors")
    print(name, sum(f.stat().st_size for f in folder.iterdir()) // 1024, "KiB")


def halve(model):
    for p in model.parameters():
        p.data.copy_(p.data.half().float())
    return model


# --- text encoders -------------------------------------------------------------------------------
def text(name, cls, seed, legacy_prefix, layers=(-1, -2), half=False, **config):
    torch.manual_seed(seed)
    g = torch.Generator().manual_seed(seed + 1)
    c = dict(vocab_size=60, hidden_size=24, intermediate_size=40, num_attention_heads=3,
             num_hidden_layers=3, max_position_embeddings=11, projection_dim=20,
             bos_token_id=58, eos_token_id=59, pad_token_id=59)
    c.update(config)
    model = liven(cls(CLIPTextConfig(**c)), g)
    if half:
        halve(model)
    end = 59
    ids = torch.tensor([[58, 4, 17, 33, end, end, end, end, end, end, end],
                        [58, 9, 9, 2, 50, 41, 30, 21, 7, 1, end]])
    if c["pad_token_id"] == 0:
        ids[0, 5:] = 0
    inner = getattr(model, "text_model", model)
    io = dict(input_ids=ids)
    with torch.no_grad():
        out = model(ids, output_hidden_states=True)
        io["last"] = out.last_hidden_state
        for k in layers:
            io[f"hidden{k}"] = out.hidden_states[k]
            io[f"hidden{k}_normed"] = inner.final_layer_norm(out.hidden_states[k])
        io["pooled"] = out.text_embeds if hasattr(out, "text_embeds") else out.pooler_output

    def rename(k):
        bare = k.removeprefix("text_model.")
        return bare if not legacy_prefix or bare.startswith("text_projection") else "text_model." + bare
    extra = {"text_model.embeddings.position_ids": torch.arange(11)[None]} if legacy_prefix else None
    save(name, model, {"prompt": io}, half, rename, extra)


# --- U-Nets --------------------------------------------------------------------------------------
def noise(g, *shape):
    return torch.randn(*shape, generator=g)


def unet_case(model, g, height, width, timestep, batch=2, sequence=5, **extra):
    c = model.config
    cross = c.cross_attention_dim if isinstance(c.cross_attention_dim, int) else c.cross_attention_dim[-1]
    io = dict(sample=noise(g, batch, c.in_channels, height, width), timestep=torch.tensor(timestep),
              encoder_hidden_states=noise(g, batch, sequence, cross), **extra)
    kw = {}
    if c.addition_embed_type:
        pooled = c.projection_class_embeddings_input_dim - 6 * c.addition_time_embed_dim
        io["text_embeds"] = noise(g, batch, pooled)
        io["time_ids"] = torch.tensor([[104., 88., 0., 8., 128., 96.]] * batch)
        kw["added_cond_kwargs"] = dict(text_embeds=io["text_embeds"], time_ids=io["time_ids"])
    if c.time_cond_proj_dim:
        io["timestep_cond"] = kw["timestep_cond"] = noise(g, batch, c.time_cond_proj_dim)
    if c.num_class_embeds:
        io["class_labels"] = kw["class_labels"] = torch.tensor([3, 1][:batch])
    down = [v for k, v in io.items() if k.startswith("down_block_additional_residuals")]
    if down:
        kw.update(down_block_additional_residuals=tuple(down),
                  mid_block_additional_residual=io["mid_block_additional_residual"])
    with torch.no_grad():
        io["noise_prediction"] = model(io["sample"], io["timestep"], io["encoder_hidden_states"], **kw).sample
    return io


CROSS3 = dict(down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
              up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"))


def new_unet(seed, half, **config):
    torch.manual_seed(seed)
    g = torch.Generator().manual_seed(seed + 1)
    c = dict(sample_size=8, block_out_channels=(8, 16, 16), norm_num_groups=4, layers_per_block=1,
             attention_head_dim=2, cross_attention_dim=12, **CROSS3)
    c.update(config)
    model = liven(UNet2DConditionModel(**c), g)
    if half:
        halve(model)
    with torch.no_grad():  # outputs of the size of noise
        scale = 1.0 / unet_case(model, g, 8, 8, 500.0)["noise_prediction"].std()
        model.conv_out.weight.data.mul_(scale)
    if half:
        halve(model)
    return model, g


def attention_maps(model, io):
    """Cross-attention weights of each layer, mean over heads: {layer: [B, tokens, pixels]}."""
    maps = {}

    def record(name, module):
        inner = module.get_attention_scores

        def scores(query, key, mask=None):
            out = inner(query, key, mask)
            by_head = out.view(-1, module.heads, *out.shape[1:])
            maps[name] = by_head.mean(1).transpose(1, 2).contiguous()
            return out
        module.get_attention_scores = scores
    model.set_attn_processor(AttnProcessor())
    for name, module in model.named_modules():
        if name.endswith("attn2"):
            record(name, module)
    with torch.no_grad():
        model(io["sample"], io["timestep"], io["encoder_hidden_states"])
    return maps


def gradients(model, io):
    """Derivatives of mean(noise_prediction^2) to some parameters, one of each kind."""
    names = ["conv_in.weight", "time_embedding.linear_1.bias", "down_blocks.0.downsamplers.0.conv.weight",
             "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight", "up_blocks.0.resnets.0.norm1.weight",
             "up_blocks.1.attentions.0.transformer_blocks.0.ff.net.0.proj.weight",
             "up_blocks.1.upsamplers.0.conv.bias", "conv_norm_out.bias"]
    parameters = dict(model.named_parameters())
    loss = model(io["sample"], io["timestep"], io["encoder_hidden_states"]).sample.square().mean()
    return dict(zip(names, torch.autograd.grad(loss, [parameters[n] for n in names])))


def unet(name, seed, half=True, cases=((8, 8, 981.0), (13, 11, 500.25)), **config):
    model, g = new_unet(seed, half, **config)
    cases = {f"{h}x{w}": unet_case(model, g, h, w, t) for h, w, t in cases}
    if name == "unet_sd1":
        cases["gradients"] = gradients(model, cases["8x8"])
        cases["maps"] = attention_maps(model, cases["13x11"])
    save(name, model, cases, half)


def controlnet(name, unet_name, seed, **config):
    """A ControlNet, and a U-Net that takes its residuals."""
    model, g = new_unet(seed, True)
    control = ControlNetModel.from_unet(model, conditioning_embedding_out_channels=(4, 6, 8, 8))
    control = halve(liven(control, g))
    control.register_to_config(**config)
    cases = {}
    for h, w, scale, guess in ((8, 8, 1.0, False), (5, 7, 0.7, False), (8, 8, 0.7, True)):
        io = unet_case(model, g, h, w, 333.0)
        del io["noise_prediction"]
        io["controlnet_cond"] = torch.rand(2, 3, 8 * h, 8 * w, generator=g)
        with torch.no_grad():
            down, mid = control(io["sample"], io["timestep"], io["encoder_hidden_states"],
                                controlnet_cond=io["controlnet_cond"], conditioning_scale=scale,
                                guess_mode=guess, return_dict=False)
        io["conditioning_scale"] = torch.tensor([scale])
        io.update({f"down_block_additional_residuals_{i}": v for i, v in enumerate(down)})
        io["mid_block_additional_residual"] = mid
        case = f"{h}x{w}" + ("_guess" if guess else "")
        cases[case] = io
    if not config:  # the U-Net's own case: the residuals of the odd size
        io = dict(cases["5x7"])
        extra = {k: v for k, v in io.items() if k.startswith(("down_", "mid_"))}
        save(unet_name, model, {"5x7": unet_case(model, g, 5, 7, 333.0, **extra)}, half=True)
    save(name, control, cases, half=True)


# --- autoencoders --------------------------------------------------------------------------------
def vae(name, seed, half=True, old_names=False, **config):
    torch.manual_seed(seed)
    g = torch.Generator().manual_seed(seed + 1)
    c = dict(block_out_channels=(8, 8, 12), layers_per_block=1, norm_num_groups=4, latent_channels=4,
             down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3)
    c.update(config)
    model = liven(AutoencoderKL(**c), g)
    if half:
        halve(model)
    cases = {}
    f = 2 ** (len(c["block_out_channels"]) - 1)
    for h, w in ((4, 4), (5, 3)):
        image = torch.rand(1, 3, f * h, f * w, generator=g) * 2 - 1
        latents = noise(g, 2, c["latent_channels"], h, w)
        with torch.no_grad():
            z = model.encode(image).latent_dist
            x = latents / model.config.scaling_factor + (model.config.shift_factor or 0)
            if model.config.latents_mean is not None:
                mean = torch.tensor(model.config.latents_mean).view(1, -1, 1, 1)
                std = torch.tensor(model.config.latents_std).view(1, -1, 1, 1)
                x = latents * std / model.config.scaling_factor + mean
            cases[f"{h}x{w}"] = dict(image=image, mean=z.mean, logvar=z.logvar, latents=latents,
                                     decoded=model.decode(x).sample)

    def rename(k):
        for new, old in (("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")):
            k = k.replace(f".{new}.", f".{old}.")
        return k
    save(name, model, cases, half, rename if old_names else (lambda k: k))


def tiny_vae(name, seed):
    torch.manual_seed(seed)
    g = torch.Generator().manual_seed(seed + 1)
    model = halve(liven(AutoencoderTiny(encoder_block_out_channels=(8,) * 3, decoder_block_out_channels=(8,) * 3,
                                        num_encoder_blocks=(1, 2, 1), num_decoder_blocks=(2, 1, 1),
                                        latent_channels=4, upsampling_scaling_factor=2), g))
    latents, image = noise(g, 1, 4, 5, 3), torch.rand(1, 3, 20, 12, generator=g) * 2 - 1
    with torch.no_grad():
        io = dict(latents=latents, decoded=model.decode(latents).sample, image=image,
                  encoded=model.encode(image).latents)
    save(name, model, {"5x3": io}, half=True)


def guidance_embedding():
    """What LatentConsistencyModelPipeline feeds as timestep_cond for guidance scales, less one."""
    scales = [0.0, 6.5, 7.5]
    rows = LatentConsistencyModelPipeline.get_guidance_scale_embedding(None, torch.tensor(scales), embedding_dim=16)
    (OUT / "guidance_embedding.json").write_text(json.dumps({"scales": scales, "embeddings": rows.tolist()}) + "\n")


def vision(name, seed):
    torch.manual_seed(seed)
    g = torch.Generator().manual_seed(seed + 1)
    model = liven(CLIPVisionModelWithProjection(CLIPVisionConfig(
        hidden_size=24, intermediate_size=40, num_hidden_layers=3, num_attention_heads=3, image_size=16,
        patch_size=4, projection_dim=20)), g)
    pixels = noise(g, 2, 3, 16, 16)
    with torch.no_grad():
        out = model(pixels, output_hidden_states=True)
    save(name, model, {"image": dict(pixel_values=pixels, image_embeds=out.image_embeds,
                                     last=out.last_hidden_state, penultimate=out.hidden_states[-2])})


text("text_quick_gelu", CLIPTextModel, 10, legacy_prefix=True)
text("text_gelu", CLIPTextModel, 20, legacy_prefix=False, half=True, hidden_act="gelu", pad_token_id=0)
text("text_projection", CLIPTextModelWithProjection, 30, legacy_prefix=True, half=True, hidden_act="gelu",
     pad_token_id=0, eos_token_id=2)
unet("unet_sd1", 40, half=False)
unet("unet_sd2", 50, use_linear_projection=True, attention_head_dim=(1, 2, 4), layers_per_block=2,
     cross_attention_dim=20)
unet("unet_inpaint", 60, in_channels=9, block_out_channels=(8, 8, 16), cases=((8, 8, 1.0),))
unet("unet_sdxl", 70, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
     up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), attention_head_dim=(1, 2, 4),
     transformer_layers_per_block=(1, 1, 2), use_linear_projection=True, addition_embed_type="text_time",
     addition_time_embed_dim=8, projection_class_embeddings_input_dim=8 * 6 + 20)
unet("unet_digits", 80, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
     up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), cases=((8, 8, 20.0),))
unet("unet_lcm", 90, time_cond_proj_dim=14, cases=((6, 10, 759.0),))
unet("unet_small", 100, mid_block_type=None, transformer_layers_per_block=((1,), (2,), 1),
     reverse_transformer_layers_per_block=((1, 1), (2, 1), (1, 2)), num_class_embeds=5,
     only_cross_attention=(True, False, False), cases=((7, 8, 3.0),))
controlnet("controlnet", "unet_controlled", 110)
vae("vae_sd", 120)
vae("vae_old_names", 130, half=False, old_names=True, block_out_channels=(8, 12), layers_per_block=2, scaling_factor=0.13025,
    down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2)
vae("vae_shifted", 140, latents_mean=(0.1, -0.2, 0.3, 0.0), latents_std=(1.0, 2.0, 0.5, 1.5), scaling_factor=0.5,
    use_quant_conv=False, use_post_quant_conv=False, mid_block_add_attention=False)
tiny_vae("vae_tiny", 150)
vision("vision", 160)
guidance_embedding()
(OUT / "versions.json").write_text(json.dumps(
    {"torch": torch.__version__, "diffusers": diffusers.__version__, "transformers": transformers.__version__}, indent=1) + "\n")
