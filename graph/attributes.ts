/** Options of operations as ONNX attributes. */
import type { AttributeKind } from "./op.ts";
import { type AttributeProtoSchema, AttributeType, type MessageInitShape } from "./protobuf.ts";
import type { OpNode } from "./value.ts";

/** The attributes of a node, in the order in which its operation declares them; undefined ones are left out. */
export function attributesOf(
  { op, attributes }: OpNode,
): MessageInitShape<typeof AttributeProtoSchema>[] {
  const kinds = Object.entries(op.attributes ?? {}) as [string, AttributeKind][];
  return kinds.flatMap(([name, kind]) => {
    const value = attributes[name];
    return value === undefined ? [] : [{ name, ...attributeValue(kind, value) }];
  });
}

const text = new TextEncoder();

function attributeValue(kind: AttributeKind, value: unknown) {
  switch (kind) {
    case "int":
      return { type: AttributeType.INT, i: BigInt(value as number) };
    case "float":
      return { type: AttributeType.FLOAT, f: value as number };
    case "string":
      return { type: AttributeType.STRING, s: Uint8Array.from(text.encode(value as string)) };
    case "ints":
      return { type: AttributeType.INTS, ints: (value as readonly number[]).map(BigInt) };
    case "floats":
      return { type: AttributeType.FLOATS, floats: [...value as readonly number[]] };
  }
}
