/**
 * The names and shapes of the tensors of full-size models, derived from their config.json as
 * diffusers and transformers do; written apart from models/, so that one can check the other.
 *
 * @module
 */

/** A tensor's name in the checkpoint and its shape. */
export type NamedShape = readonly [name: string, shape: readonly number[]];

/** What the shapes of a U-Net follow from, by the names of its config.json. */
export interface UNetShapeConfig {
  readonly in_channels: number;
  readonly out_channels: number;
  readonly block_out_channels: readonly number[];
  readonly down_block_types: readonly string[];
  readonly up_block_types: readonly string[];
  readonly layers_per_block: number;
  readonly transformer_layers_per_block: readonly number[];
  readonly cross_attention_dim: number;
  readonly use_linear_projection: boolean;
  readonly addition_time_embed_dim: number | null;
  readonly projection_class_embeddings_input_dim: number | null;
}

/** What the shapes of a VAE follow from. */
export interface VaeShapeConfig {
  readonly block_out_channels: readonly number[];
  readonly layers_per_block: number;
  readonly latent_channels: number;
}

/** What the shapes of a CLIP text encoder follow from; `projection` adds the text projection. */
export interface ClipShapeConfig {
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly vocab_size: number;
  readonly max_position_embeddings: number;
  readonly projection_dim: number;
}

/** UNet2DConditionModel. */
export function* unetShapes(c: UNetShapeConfig): Generator<NamedShape> {
  const channels = c.block_out_channels, first = channels[0]!, last = channels.at(-1)!;
  const time = first * 4;
  yield* conv("conv_in", c.in_channels, first);
  yield* linear("time_embedding.linear_1", first, time);
  yield* linear("time_embedding.linear_2", time, time);
  if (c.projection_class_embeddings_input_dim !== null) {
    yield* linear("add_embedding.linear_1", c.projection_class_embeddings_input_dim, time);
    yield* linear("add_embedding.linear_2", time, time);
  }
  const skips = [first];
  let width = first;
  for (const [i, out] of channels.entries()) {
    const block = `down_blocks.${i}`, depth = c.transformer_layers_per_block[i]!;
    for (let j = 0; j < c.layers_per_block; j++) {
      yield* resnet(`${block}.resnets.${j}`, width, out, time);
      if (c.down_block_types[i]!.startsWith("CrossAttn")) {
        yield* transformer(`${block}.attentions.${j}`, out, depth, c);
      }
      skips.push(width = out);
    }
    if (i === channels.length - 1) continue;
    yield* conv(`${block}.downsamplers.0.conv`, out, out);
    skips.push(out);
  }
  yield* resnet("mid_block.resnets.0", last, last, time);
  yield* transformer("mid_block.attentions.0", last, c.transformer_layers_per_block.at(-1)!, c);
  yield* resnet("mid_block.resnets.1", last, last, time);
  for (const [i, out] of channels.toReversed().entries()) {
    const block = `up_blocks.${i}`, depth = c.transformer_layers_per_block.at(-1 - i)!;
    for (let j = 0; j <= c.layers_per_block; j++) {
      yield* resnet(`${block}.resnets.${j}`, width + skips.pop()!, out, time);
      if (c.up_block_types[i]!.startsWith("CrossAttn")) {
        yield* transformer(`${block}.attentions.${j}`, out, depth, c);
      }
      width = out;
    }
    if (i < channels.length - 1) yield* conv(`${block}.upsamplers.0.conv`, out, out);
  }
  yield* norm("conv_norm_out", first);
  yield* conv("conv_out", first, c.out_channels);
}

/** AutoencoderKL. */
export function* vaeShapes(c: VaeShapeConfig): Generator<NamedShape> {
  const channels = c.block_out_channels, last = channels.at(-1)!, moments = 2 * c.latent_channels;
  yield* conv("encoder.conv_in", 3, channels[0]!);
  let width = channels[0]!;
  for (const [i, out] of channels.entries()) {
    for (let j = 0; j < c.layers_per_block; j++, width = out) {
      yield* resnet(`encoder.down_blocks.${i}.resnets.${j}`, width, out);
    }
    if (i < channels.length - 1) {
      yield* conv(`encoder.down_blocks.${i}.downsamplers.0.conv`, out, out);
    }
  }
  yield* vaeMiddle("encoder", last);
  yield* norm("encoder.conv_norm_out", last);
  yield* conv("encoder.conv_out", last, moments);
  yield* conv("quant_conv", moments, moments, 1);
  yield* conv("post_quant_conv", c.latent_channels, c.latent_channels, 1);
  yield* conv("decoder.conv_in", c.latent_channels, last);
  yield* vaeMiddle("decoder", last);
  for (const [i, out] of channels.toReversed().entries()) {
    for (let j = 0; j <= c.layers_per_block; j++, width = out) {
      yield* resnet(`decoder.up_blocks.${i}.resnets.${j}`, width, out);
    }
    if (i < channels.length - 1) yield* conv(`decoder.up_blocks.${i}.upsamplers.0.conv`, out, out);
  }
  yield* norm("decoder.conv_norm_out", channels[0]!);
  yield* conv("decoder.conv_out", channels[0]!, 3);
}

/** CLIPTextModel, or CLIPTextModelWithProjection. */
export function* clipShapes(
  c: ClipShapeConfig,
  { projection }: { projection: boolean },
): Generator<NamedShape> {
  const d = c.hidden_size, root = "text_model";
  yield [`${root}.embeddings.token_embedding.weight`, [c.vocab_size, d]];
  yield [`${root}.embeddings.position_embedding.weight`, [c.max_position_embeddings, d]];
  for (let i = 0; i < c.num_hidden_layers; i++) {
    const layer = `${root}.encoder.layers.${i}`;
    for (const p of ["q", "k", "v", "out"]) yield* linear(`${layer}.self_attn.${p}_proj`, d, d);
    yield* norm(`${layer}.layer_norm1`, d);
    yield* linear(`${layer}.mlp.fc1`, d, c.intermediate_size);
    yield* linear(`${layer}.mlp.fc2`, c.intermediate_size, d);
    yield* norm(`${layer}.layer_norm2`, d);
  }
  yield* norm(`${root}.final_layer_norm`, d);
  if (projection) yield ["text_projection.weight", [c.projection_dim, d]];
}

function* linear(name: string, from: number, to: number, bias = true): Generator<NamedShape> {
  yield [`${name}.weight`, [to, from]];
  if (bias) yield [`${name}.bias`, [to]];
}

function* conv(name: string, from: number, to: number, kernel = 3): Generator<NamedShape> {
  yield [`${name}.weight`, [to, from, kernel, kernel]];
  yield [`${name}.bias`, [to]];
}

function* norm(name: string, width: number): Generator<NamedShape> {
  yield [`${name}.weight`, [width]];
  yield [`${name}.bias`, [width]];
}

function* resnet(name: string, from: number, to: number, time?: number): Generator<NamedShape> {
  yield* norm(`${name}.norm1`, from);
  yield* conv(`${name}.conv1`, from, to);
  if (time !== undefined) yield* linear(`${name}.time_emb_proj`, time, to);
  yield* norm(`${name}.norm2`, to);
  yield* conv(`${name}.conv2`, to, to);
  if (from !== to) yield* conv(`${name}.conv_shortcut`, from, to, 1);
}

function* transformer(
  name: string,
  width: number,
  depth: number,
  c: UNetShapeConfig,
): Generator<NamedShape> {
  const projection = (part: string) =>
    c.use_linear_projection
      ? linear(`${name}.${part}`, width, width)
      : conv(`${name}.${part}`, width, width, 1);
  yield* norm(`${name}.norm`, width);
  yield* projection("proj_in");
  for (let k = 0; k < depth; k++) {
    const block = `${name}.transformer_blocks.${k}`;
    for (
      const [attention, context] of [["attn1", width], ["attn2", c.cross_attention_dim]] as const
    ) {
      yield* linear(`${block}.${attention}.to_q`, width, width, false);
      yield* linear(`${block}.${attention}.to_k`, context, width, false);
      yield* linear(`${block}.${attention}.to_v`, context, width, false);
      yield* linear(`${block}.${attention}.to_out.0`, width, width);
    }
    for (const n of [1, 2, 3]) yield* norm(`${block}.norm${n}`, width);
    yield* linear(`${block}.ff.net.0.proj`, width, 8 * width); // GEGLU: value and gate
    yield* linear(`${block}.ff.net.2`, 4 * width, width);
  }
  yield* projection("proj_out");
}

function* vaeMiddle(side: string, width: number): Generator<NamedShape> {
  const block = `${side}.mid_block`;
  for (const j of [0, 1]) yield* resnet(`${block}.resnets.${j}`, width, width);
  yield* norm(`${block}.attentions.0.group_norm`, width);
  for (const p of ["to_q", "to_k", "to_v", "to_out.0"]) {
    yield* linear(`${block}.attentions.0.${p}`, width, width);
  }
}
