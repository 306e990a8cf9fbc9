"""Makes tests/golden/lora/: adapter files in many spellings, and expected.json with the changes of weights they stand for.

    python tests/golden/make_lora.py      (torch, safetensors, peft, diffusers)

The changes are computed with torch's own operations (einsum, kron), and for PEFT's DoRA by PEFT itself.
"""
import json, os
import peft, torch
from safetensors.torch import save_file

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lora")
os.makedirs(OUT, exist_ok=True)
g = torch.Generator().manual_seed(3)
rand = lambda *s: torch.randn(*s, generator=g)
expected = {"versions": {"torch": torch.__version__, "peft": peft.__version__}, "files": {}, "merged": {}}
values = lambda t: [round(x, 7) for x in t.flatten().tolist()]

def file(name, tensors, layers, metadata=None):
    """layers: network/module -> change"""
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, f"{OUT}/{name}.safetensors", metadata=metadata)
    os.chmod(f"{OUT}/{name}.safetensors", 0o644)
    expected["files"][name] = {k: {"shape": list(v.shape), "delta": values(v)} for k, v in layers.items()}

down, up = rand(2, 6), rand(4, 2)
plain = up @ down
q = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
out = "mid_block.attentions.0.transformer_blocks.0.attn2.to_out.0"
te = "text_model.encoder.layers.0.self_attn.{}"

# kohya, diffusers' block names, with alpha; 1x1 and 3x3 convolutions, the latter with and without a core.
flat = lambda m: m.replace(".", "_")
d3, u1, mid = rand(2, 3, 3, 3), rand(4, 2, 1, 1), rand(2, 2, 3, 3)
file("kohya", {
    f"lora_unet_{flat(q)}.lora_down.weight": down, f"lora_unet_{flat(q)}.lora_up.weight": up, f"lora_unet_{flat(q)}.alpha": torch.tensor(1.0),
    f"lora_te_{flat(te.format('q_proj'))}.lora_down.weight": down.half(), f"lora_te_{flat(te.format('q_proj'))}.lora_up.weight": up.half(),
    f"lora_te_{flat(te.format('q_proj'))}.alpha": torch.tensor(4.0),
    "lora_unet_down_blocks_0_resnets_0_conv1.lora_down.weight": d3, "lora_unet_down_blocks_0_resnets_0_conv1.lora_up.weight": u1,
    "lora_unet_down_blocks_0_resnets_0_conv2.lora_down.weight": down[:, :3, None, None], "lora_unet_down_blocks_0_resnets_0_conv2.lora_up.weight": u1,
    "lora_unet_down_blocks_0_resnets_0_conv2.lora_mid.weight": mid,
}, {
    f"unet/{q}": plain * 0.5, f"text_encoder/{te.format('q_proj')}": up.half().float() @ down.half().float() * 2,
    "unet/down_blocks.0.resnets.0.conv1": torch.einsum("or,rikl->oikl", u1[:, :, 0, 0], d3),
    "unet/down_blocks.0.resnets.0.conv2": torch.einsum("mnwh,im,nj->ijwh", mid, u1[:, :, 0, 0], down[:, :3]),
}, {"ss_base_model_version": "sd_v1", "ss_network_dim": "2"})

# kohya for SDXL: LDM's names; every kind of block.
ldm = {
    "input_blocks_4_1_transformer_blocks_0_attn1_to_q": "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q",
    "input_blocks_8_1_proj_in": "down_blocks.2.attentions.1.proj_in", "input_blocks_3_0_op": "down_blocks.0.downsamplers.0.conv",
    "input_blocks_7_0_in_layers_2": "down_blocks.2.resnets.0.conv1", "input_blocks_7_0_skip_connection": "down_blocks.2.resnets.0.conv_shortcut",
    "middle_block_1_transformer_blocks_9_ff_net_0_proj": "mid_block.attentions.0.transformer_blocks.9.ff.net.0.proj",
    "middle_block_2_out_layers_3": "mid_block.resnets.1.conv2", "output_blocks_2_2_conv": "up_blocks.0.upsamplers.0.conv",
    "output_blocks_5_1_proj_out": "up_blocks.1.attentions.2.proj_out", "output_blocks_8_0_emb_layers_1": "up_blocks.2.resnets.2.time_emb_proj",
    "time_embed_0": "time_embedding.linear_1", "label_emb_0_2": "add_embedding.linear_2", "input_blocks_0_0": "conv_in", "out_2": "conv_out",
}
file("kohya_sdxl", {f"lora_unet_{k}.lora_{d}.weight": t for k in ldm for d, t in (("down", down), ("up", up))} |
     {f"lora_te{i}_{flat(te.format('k_proj'))}.lora_{d}.weight": t for i in (1, 2) for d, t in (("down", down), ("up", up))},
     {f"unet/{v}": plain for v in ldm.values()} | {f"text_encoder{s}/{te.format('k_proj')}": plain for s in ("", "_2")})

# PEFT, with the configuration as metadata, and the spellings of diffusers before PEFT.
peft_file = {f"{n}.lora_A.weight": down for n in (f"unet.{q}", f"unet.{out}", f"text_encoder.{te.format('v_proj')}")} | \
    {f"{n}.lora_B.weight": up for n in (f"unet.{q}", f"unet.{out}", f"text_encoder.{te.format('v_proj')}")}
file("peft", peft_file, {f"unet/{q}": plain, f"unet/{out}": plain, f"text_encoder/{te.format('v_proj')}": plain})
file("peft_alpha", peft_file, {f"unet/{q}": plain * 3, f"unet/{out}": plain * 4, f"text_encoder/{te.format('v_proj')}": plain * (8 / 2**0.5)},
     {"lora_adapter_metadata": json.dumps({"unet.r": 2, "unet.lora_alpha": 6, "unet.alpha_pattern": {"attn2.to_out.0": 8},
                                           "text_encoder.lora_alpha": 8, "text_encoder.use_rslora": True})})
old = lambda prefix: {f"{prefix}{k}.{d}.weight": t for k in (q.replace("to_q", "processor.to_q_lora"), out.replace("to_out.0", "processor.to_out_lora"))
                      for d, t in (("down", down), ("up", up))}
file("diffusers_old", old("unet.") | {f"text_encoder.{te.format(k)}.{d}.weight": t for k in ("to_q_lora", "to_out_lora", "k_proj.lora_linear_layer")
     for d, t in (("down", down), ("up", up))},
     {f"unet/{q}": plain, f"unet/{out}": plain} | {f"text_encoder/{te.format(k)}": plain for k in ("q_proj", "out_proj", "k_proj")})
file("diffusers_2023", old("") | {f"unet.{q.replace('to_q', 'to_v')}.lora.{d}.weight": t for d, t in (("down", down), ("up", up))},
     {f"unet/{q}": plain, f"unet/{out}": plain, f"unet/{q.replace('to_q', 'to_v')}": plain})

# LyCORIS: Hadamard and Kronecker products, whole and factored, plain and Tucker; a whole difference.
a1, b1, a2, b2 = rand(4, 2), rand(2, 6), rand(4, 2), rand(2, 6)
t1, t2, ta1, tb1, ta2, tb2 = rand(2, 2, 3, 3), rand(2, 2, 3, 3), rand(2, 4), rand(2, 5), rand(2, 4), rand(2, 5)
tucker = lambda t, a, b: torch.einsum("ijkl,ip,jr->prkl", t, a, b).contiguous()
w1, w1a, w1b, w2, w2a, w2b, w2c = rand(2, 3), rand(2, 1), rand(1, 3), rand(2, 2), rand(2, 2), rand(2, 2), rand(2, 2, 3, 3)
k2a, k2b, kt = rand(2, 2), rand(2, 3), rand(2, 2, 3, 3)
lyco = lambda name, **t: {f"lora_unet_{name}.{k}": v for k, v in t.items()}
alpha = torch.tensor(1.0)
difference = rand(4, 6)
file("lycoris",
     lyco("mid_block_a", hada_w1_a=a1, hada_w1_b=b1, hada_w2_a=a2, hada_w2_b=b2, alpha=alpha) |
     lyco("mid_block_b", hada_t1=t1, hada_w1_a=ta1, hada_w1_b=tb1, hada_t2=t2, hada_w2_a=ta2, hada_w2_b=tb2, alpha=alpha) |
     lyco("mid_block_c", lokr_w1=w1, lokr_w2=w2, alpha=alpha) | lyco("mid_block_d", lokr_w1=w1, lokr_w2_a=w2a, lokr_w2_b=w2b, alpha=alpha) |
     lyco("mid_block_e", lokr_w1_a=w1a, lokr_w1_b=w1b, lokr_w2=w2c, alpha=alpha) |
     lyco("mid_block_f", lokr_w1=w1, lokr_t2=kt, lokr_w2_a=k2a, lokr_w2_b=k2b, alpha=alpha) | lyco("mid_block_g", diff=difference),
     {"unet/mid_block.a": (a1 @ b1) * (a2 @ b2) * 0.5, "unet/mid_block.b": tucker(t1, ta1, tb1) * tucker(t2, ta2, tb2) * 0.5,
      "unet/mid_block.c": torch.kron(w1, w2), "unet/mid_block.d": torch.kron(w1, w2a @ w2b) * 0.5,
      "unet/mid_block.e": torch.kron((w1a @ w1b)[:, :, None, None], w2c), "unet/mid_block.f": torch.kron(w1[:, :, None, None], tucker(kt, k2a, k2b)) * 0.5,
      "unet/mid_block.g": difference})

# DoRA: by PEFT for the lengths of rows; by the formula for columns, as LyCORIS has them.
class One(torch.nn.Module):
    def __init__(self): super().__init__(); self.proj = torch.nn.Linear(6, 4, bias=False)
    def forward(self, x): return self.proj(x)
one = One(); base = rand(4, 6); one.proj.weight.data = base.clone()
model = peft.get_peft_model(one, peft.LoraConfig(r=2, lora_alpha=2, target_modules=["proj"], use_dora=True))
layer = model.base_model.model.proj
layer.lora_A["default"].weight.data = down; layer.lora_B["default"].weight.data = up
layer.lora_magnitude_vector["default"].weight.data = length = rand(4).abs() + 0.5
model.merge_adapter()
rows = layer.base_layer.weight.detach()
columns_of = rand(1, 6).abs() + 0.5
changed = base + plain
columns = changed * columns_of / changed.norm(dim=0, keepdim=True)
file("dora", {"unet.mid_block.proj.lora_A.weight": down, "unet.mid_block.proj.lora_B.weight": up, "unet.mid_block.proj.lora_magnitude_vector": length,
              "lora_unet_mid_block_columns.lora_down.weight": down, "lora_unet_mid_block_columns.lora_up.weight": up,
              "lora_unet_mid_block_columns.dora_scale": columns_of}, {"unet/mid_block.proj": plain, "unet/mid_block.columns": plain})
half = lambda merged: base + 0.5 * (merged - base)
expected["merged"] = {"base": values(base), "shape": [4, 6], "unet/mid_block.proj": values(rows), "unet/mid_block.columns": values(columns),
                      "half": {"unet/mid_block.columns": values(half(columns))}}
with open(f"{OUT}/expected.json", "w") as f:
    f.write("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in expected.items()) + "\n}\n")
