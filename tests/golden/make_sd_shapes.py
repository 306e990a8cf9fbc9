"""Makes tests/golden/sd_shapes.json: a digest of the names and shapes of the full-size models' tensors.

    python tests/golden/make_sd_shapes.py      (torch, diffusers, transformers; nothing is allocated: meta device)
"""
import hashlib, json, os
import diffusers, torch, transformers
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

def digest(model):
    lines = sorted(f"{n} {','.join(map(str, p.shape))}" for n, p in model.state_dict().items() if not n.endswith("position_ids"))
    # transformers 5 calls the encoder's tensors without the prefix that files have
    if isinstance(model, CLIPTextModel) and not lines[0].startswith("text_model."):
        lines = sorted("text_model." + line for line in lines)
    return {"count": len(lines), "sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest()}

cross, plain = "CrossAttnDownBlock2D", "DownBlock2D"
sd = dict(block_out_channels=(320, 640, 1280, 1280), sample_size=64)
clip = lambda cls, d, m, l, h, p: cls(CLIPTextConfig(hidden_size=d, intermediate_size=m, num_hidden_layers=l, num_attention_heads=h, projection_dim=p))
out = {"versions": {"torch": torch.__version__, "diffusers": diffusers.__version__, "transformers": transformers.__version__}}
with torch.device("meta"):
    vae = lambda: digest(AutoencoderKL(block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4))
    l = digest(clip(CLIPTextModel, 768, 3072, 12, 12, 768))
    out["sd15"] = {"unet": digest(UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8, **sd)), "vae": vae(), "text_encoder": l}
    out["sd21"] = {"unet": digest(UNet2DConditionModel(cross_attention_dim=1024, attention_head_dim=(5, 10, 20, 20), use_linear_projection=True, **sd)),
        "vae": vae(), "text_encoder": digest(clip(CLIPTextModel, 1024, 4096, 23, 16, 512))}
    out["sdxl"] = {"unet": digest(UNet2DConditionModel(sample_size=128, block_out_channels=(320, 640, 1280), down_block_types=(plain, cross, cross),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), transformer_layers_per_block=(1, 2, 10), attention_head_dim=(5, 10, 20),
        cross_attention_dim=2048, use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816)), "vae": vae(), "text_encoder": l, "text_encoder_2": digest(clip(CLIPTextModelWithProjection, 1280, 5120, 32, 20, 1280))}
json.dump(out, open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "sd_shapes.json"), "w"), indent=1)
