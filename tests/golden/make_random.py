"""Random numbers of torch's CPU generator, for tests/schedulers/random_torch_cpu_test.ts.

Run: python tests/golden/make_random.py   (writes random_torch_cpu.json beside itself)
Arrays are little-endian bytes in base64; long ones are kept as their ends and the CRC-32 of all bytes.
"""

import base64
import json
import pathlib
import platform
import zlib

import numpy
import torch

HERE = pathlib.Path(__file__).parent
SEEDS = [0, 1, 42, 2**31, 2**32 - 1, 2**63 - 1, -1, -(2**63), 2**64 - 1]


def generator(seed):
    return torch.Generator("cpu").manual_seed(seed)


def packed(tensor, ends=32):
    data = tensor.contiguous().numpy()
    entry = {"count": data.size, "crc32": zlib.crc32(data.tobytes())}
    if data.size <= 2 * ends:
        return {**entry, "data": base64.b64encode(data.tobytes()).decode()}
    return {
        **entry,
        "head": base64.b64encode(data[:ends].tobytes()).decode(),
        "tail": base64.b64encode(data[-ends:].tobytes()).decode(),
    }


def randn_cases():
    for seed in SEEDS:
        sizes = range(1, 41) if seed in (0, 42) else (5, 15, 16, 17, 31)
        for count in [*sizes, 64, 100, 4096, 16384 + 3]:
            yield {"seed": str(seed), **packed(torch.randn(count, generator=generator(seed)), 8)}


def sequence():
    """Several calls on one generator: [method, arguments..., result]."""
    g = generator(7)
    calls = []
    for method, *arguments in [
        ["randn", 4], ["randn", 100], ["randn", 7], ["rand", 9], ["randn", 1], ["randint", 0, 10, 5],
        ["randint", -3, 2**40, 5], ["randn", 3], ["randperm", 37], ["randn", 16], ["randn", 15],
        ["randint", 0, 2**28 - 1, 3], ["randint", 0, 2**28, 3], ["randperm", 1], ["randperm", 5000],
        ["randn", 0], ["rand", 1000], ["randn", 33],
    ]:
        if method == "randint":
            low, high, count = arguments
            result = torch.randint(low, high, [count], generator=g).to(torch.float64)
        elif method == "randperm":
            result = torch.randperm(arguments[0], generator=g).to(torch.int32)
        else:
            result = getattr(torch, method)(arguments[0], generator=g)
        calls.append({"method": method, "arguments": arguments, **packed(result)})
    return calls


def main():
    golden = {
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "cpu": f"{platform.machine()}, torch capability {torch.backends.cpu.get_cpu_capability()}",
        "randn": list(randn_cases()),
        "sequence": sequence(),
    }
    (HERE / "random_torch_cpu.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
