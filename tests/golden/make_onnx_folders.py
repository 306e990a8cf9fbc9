"""Goldens of model folders whose networks are ONNX files: as optimum writes them for SDXL (float32, the
U-Net's weights beside the file), and as diffusers' own script wrote them for Stable Diffusion 1
(float16 but for the text encoder, no configurations). Run tests/golden/make_containers.py before.

    python tests/golden/make_onnx_folders.py     # writes tests/golden/containers/{onnx-xl,onnx-old}

Packages: torch, onnx, diffusers 0.42.1, transformers 5, Pillow; the versions are in onnx.json.
"""
import json
import pathlib
import shutil
import tempfile

import diffusers
import onnx
import torch
import transformers
from diffusers import DDIMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline

OUT = pathlib.Path(__file__).parent / "containers"
torch.set_num_threads(1)
cases = []


def export(model, args, path, inputs, outputs, axes, external=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        torch.onnx.export(model, args, str(path), input_names=inputs, output_names=outputs, dynamic_axes=axes,
                          opset_version=17, do_constant_folding=True, dynamo=False)
    graph = onnx.load(str(path))
    path.unlink()
    for node in graph.graph.node:  # names of traced modules: most of a tiny file
        node.name = node.doc_string = ""
    onnx.save_model(graph, str(path), save_as_external_data=external, all_tensors_to_one_file=True,
                    location="model.onnx_data", size_threshold=1024)


class Named(torch.nn.Module):
    """A network with positional inputs and the outputs that are asked for."""

    def __init__(self, model, call):
        super().__init__()
        self.model, self.call = model, call

    def forward(self, *args):
        return self.call(self.model, *args)


PICTURE = {0: "batch_size", 2: "height", 3: "width"}
LATENTS = {0: "batch_size", 1: "num_channels", 2: "latent_height", 3: "latent_width"}
TEXT = {0: "batch_size", 1: "sequence_length"}


def text_encoder(encoder, path, dtype, states):
    names = ["text_embeds"] if "WithProjection" in type(encoder).__name__ else []
    names += ["last_hidden_state"]
    layers = encoder.config.num_hidden_layers + 1 if states else 0
    names += [f"hidden_states.{i}" for i in range(layers)]
    if not states:
        names.append("pooler_output")

    def call(model, ids):
        out = model(ids, output_hidden_states=states)
        known = {**{f"hidden_states.{i}": s for i, s in enumerate(out.hidden_states or ())}}
        return tuple(known[n] if n in known else getattr(out, n) for n in names)

    ids = torch.ones(2, 77, dtype=dtype)
    export(Named(encoder, call), (ids,), path, ["input_ids"], names, {"input_ids": TEXT})


def optimum_xl():
    """optimum's layout and names: vae_encoder gives the moments, timesteps have an axis of their own."""
    pipe = StableDiffusionXLPipeline.from_pretrained(OUT / "base", add_watermarker=False)
    out = OUT / "onnx-xl"
    text_encoder(pipe.text_encoder, out / "text_encoder/model.onnx", torch.int64, True)
    text_encoder(pipe.text_encoder_2, out / "text_encoder_2/model.onnx", torch.int64, True)

    def unet(model, sample, timestep, states, pooled, ids):
        added = dict(text_embeds=pooled, time_ids=ids)
        return model(sample, timestep, states, added_cond_kwargs=added, return_dict=False)[0]

    export(Named(pipe.unet, unet), (torch.randn(2, 4, 8, 8), torch.tensor([5]), torch.randn(2, 77, 32),
                                    torch.randn(2, 16), torch.ones(2, 6)), out / "unet/model.onnx",
           ["sample", "timestep", "encoder_hidden_states", "text_embeds", "time_ids"], ["out_sample"],
           {"sample": {0: "batch_size", 2: "height", 3: "width"}, "timestep": {0: "steps"},
            "encoder_hidden_states": TEXT, "text_embeds": {0: "batch_size"}, "time_ids": {0: "batch_size"}}, True)
    export(Named(pipe.vae, lambda m, z: m.decode(z, return_dict=False)[0]), (torch.randn(1, 4, 8, 8),),
           out / "vae_decoder/model.onnx", ["latent_sample"], ["sample"], {"latent_sample": LATENTS})
    export(Named(pipe.vae, lambda m, x: m.encode(x).latent_dist.parameters), (torch.randn(1, 3, 64, 64),),
           out / "vae_encoder/model.onnx", ["sample"], ["latent_parameters"], {"sample": PICTURE})
    for part, source in dict(unet="unet", text_encoder="text_encoder", text_encoder_2="text_encoder_2",
                             vae_decoder="vae", vae_encoder="vae").items():
        shutil.copy(OUT / f"base/{source}/config.json", out / part / "config.json")
    for part in ("tokenizer", "tokenizer_2", "scheduler"):
        shutil.copytree(OUT / "base" / part, out / part, dirs_exist_ok=True)
    index = json.loads((OUT / "base/model_index.json").read_text())
    model = ["optimum.onnxruntime.modeling_diffusion", "ORTModel"]
    index.update(_class_name="ORTStableDiffusionXLPipeline", unet=model, text_encoder=model, text_encoder_2=model,
                 vae_decoder=model, vae_encoder=model)
    del index["vae"]
    (out / "model_index.json").write_text(json.dumps(index, indent=1) + "\n")


def small_sd():
    """A tiny Stable Diffusion 1, kept as ONNX alone."""
    import make_containers as made

    torch.manual_seed(50)
    g = torch.Generator().manual_seed(51)
    folder = pathlib.Path(tempfile.mkdtemp())
    tokenizer, vocabulary = made.tokenizer(folder / "tokenizer", "<|endoftext|>")
    vae = made.vae(g)
    vae.register_to_config(scaling_factor=0.18215)
    unet = made.liven(made.UNet2DConditionModel(
        sample_size=8, layers_per_block=1, block_out_channels=(16, 32), norm_num_groups=4, cross_attention_dim=16,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        attention_head_dim=4), g)
    encoder = made.text(made.CLIPTextModel, vocabulary, g)
    scheduler = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
                              set_alpha_to_one=False, steps_offset=1)
    pipe = StableDiffusionPipeline(vae=vae, text_encoder=encoder, tokenizer=tokenizer, unet=unet, scheduler=scheduler,
                                   safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    for model in (vae, unet, encoder):  # rounded: the float16 files hold the same weights
        for p in model.parameters():
            p.data.copy_(p.data.half().float())
    return pipe, folder


def diffusers_old():
    """The names of diffusers' convert_stable_diffusion_checkpoint_to_onnx.py, in float16."""
    pipe, tokenizer = small_sd()
    out = OUT / "onnx-old"
    flags = dict(prompt="a watercolour of a fox in the snow", steps=5, guidance_scale=5.0, width=64, height=64, seed=60)
    image = pipe(flags["prompt"], num_inference_steps=5, guidance_scale=5.0, width=64, height=64,
                 generator=torch.Generator().manual_seed(60)).images[0]
    image.save(OUT / "images/onnx-old.png")
    args = [text for flag, value in flags.items() for text in ("--" + flag.replace("_", "-"), str(value))]
    cases.append(dict(name="onnx-old", model="onnx-old", args=args, image="images/onnx-old.png"))
    half = torch.float16
    text_encoder(pipe.text_encoder, out / "text_encoder/model.onnx", torch.int32, False)
    export(Named(pipe.unet.half(), lambda m, x, t, s: m(x, t, s, return_dict=False)[0]),
           (torch.randn(2, 4, 8, 8).half(), torch.randn(2).half(), torch.randn(2, 77, 16).half()), out / "unet/model.onnx",
           ["sample", "timestep", "encoder_hidden_states"], ["out_sample"],
           {"sample": {0: "batch", 1: "channels", 2: "height", 3: "width"}, "timestep": {0: "batch"},
            "encoder_hidden_states": {0: "batch", 1: "sequence"}})
    vae = pipe.vae.half()
    export(Named(vae, lambda m, z: m.decode(z, return_dict=False)[0]), (torch.randn(1, 4, 8, 8).to(half),),
           out / "vae_decoder/model.onnx", ["latent_sample"], ["sample"], {"latent_sample": LATENTS})
    export(Named(vae, lambda m, x: m.encode(x).latent_dist.sample()), (torch.randn(1, 3, 64, 64).to(half),),
           out / "vae_encoder/model.onnx", ["sample"], ["latent_sample"], {"sample": PICTURE})
    shutil.copytree(tokenizer / "tokenizer", out / "tokenizer", dirs_exist_ok=True)
    pipe.scheduler.save_pretrained(out / "scheduler")
    part = ["diffusers", "OnnxRuntimeModel"]
    index = dict(_class_name="OnnxStableDiffusionPipeline", _diffusers_version="0.15.0",
                 feature_extractor=[None, None], safety_checker=[None, None], scheduler=["diffusers", "DDIMScheduler"],
                 text_encoder=part, tokenizer=["transformers", "CLIPTokenizer"], unet=part, vae_decoder=part, vae_encoder=part)
    (out / "model_index.json").write_text(json.dumps(index, indent=1) + "\n")


for folder in ("onnx-xl", "onnx-old"):
    shutil.rmtree(OUT / folder, ignore_errors=True)
optimum_xl()
diffusers_old()
made_with = dict(diffusers=diffusers.__version__, torch=torch.__version__, transformers=transformers.__version__,
                 onnx=onnx.__version__)
(OUT / "onnx.json").write_text(json.dumps(dict(made_with=made_with, cases=cases), indent=1) + "\n")
