"""Random numbers of torch, NumPy and torchsde, for tests/schedulers/random_*_test.ts.

Run: python tests/golden/make_random.py   (writes random_*.json beside itself)
Arrays are little-endian bytes in base64; long ones are kept as their ends and the CRC-32 of all bytes.
"""

import base64
import json
import pathlib
import platform
import zlib

import numpy
import torch
import torchsde
from diffusers.schedulers.scheduling_dpmsolver_sde import BrownianTreeNoiseSampler

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


def floats(array):
    """float32 values that JSON and back leave as they are."""
    return [float(x) for x in numpy.asarray(array, numpy.float32).ravel()]


def float16():
    """What `dtype=float16` changes: nothing but rounding where 16 divides the count."""
    rows = []
    for count in (4, 64, 4096, 100):
        half = torch.randn(count, generator=generator(3), dtype=torch.float16)
        single = torch.randn(count, generator=generator(3)).to(torch.float16)
        rows.append({"count": count, "equalToRoundedFloat32": bool(torch.equal(half, single))})
    return rows


def cuda_randn(seed, calls, threads):
    """torch's CUDA kernel written down with Python's integers, to check the order and the counter.

    No GPU made these: the arithmetic is float64, so they agree with one to about 1e-6.
    """
    offset, results = 0, []
    for count in calls:
        grid = min(-(-count // 256), threads // 256) * 256
        rounds = -(-count // (4 * grid))
        out = numpy.zeros(rounds * 4 * grid)
        for r in range(rounds):
            for thread in range(grid):
                x = philox((offset + r) | thread << 64, seed)
                for pair in (0, 2):
                    u = (x[pair] + 0.5) / 2**32
                    angle = (x[pair + 1] + 0.5) / 2**32 * 2 * numpy.pi
                    radius = numpy.sqrt(-2 * numpy.log(u))
                    at = (r * 4 + pair) * grid + thread
                    out[at], out[at + grid] = radius * numpy.sin(angle), radius * numpy.cos(angle)
        offset += rounds
        results.append(floats(out[:count]))
    return results


def philox(counter, key):
    c = [counter >> 32 * i & 0xFFFFFFFF for i in range(4)]
    k = [key & 0xFFFFFFFF, key >> 32]
    for _ in range(10):
        p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [q >> 32 ^ c[1] ^ k[0], q & 0xFFFFFFFF, p >> 32 ^ c[3] ^ k[1], p & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def brownian():
    """Several questions to each path, in this order."""
    rows = []
    paths = [
        (0, 0.02916753, 14.6146469, [14.6146469, 9.7311, 5.2, 2.5, 1.0, 0.3, 0.02916753]),
        (42, 0.0292, 14.6146, [14.6146, 7.0, 7.5, 1 / 128, 0.0234375, 1.0078125, 3.0, 0.5]),
        (2**40 + 5, 0.1, 1.0, [0.1, 0.100003, 0.5, 0.999999, 1.0]),
    ]
    for seed, low, high, sigmas in paths:
        sampler = BrownianTreeNoiseSampler(torch.zeros(1, 2, 3, 3), low, high, seed)
        tree = torchsde.BrownianTree(low, torch.zeros(18), high, entropy=seed)
        pairs = [(a, b) for a, b in zip(sigmas, sigmas[1:])] + [(sigmas[0], sigmas[-1])]
        rows.append({
            "seed": str(seed), "from": low, "to": high, "size": 18,
            "questions": [
                {"sigma": a, "next": b, "noise": floats(sampler(a, b)),
                 "increment": floats(tree(min(a, b), max(a, b)))}
                for a, b in pairs
            ],
        })
    return rows


def slerp_columns(t, low, high):
    """A1111's formula over dimension 1 of [c, h, w]."""
    dot = (low / low.norm(dim=1, keepdim=True) * (high / high.norm(dim=1, keepdim=True))).sum(1)
    omega = torch.acos(dot).unsqueeze(1)
    return torch.sin((1 - t) * omega) / torch.sin(omega) * low + torch.sin(t * omega) / torch.sin(omega) * high


def mixing():
    low = torch.randn(3, 5, 4, generator=generator(10))
    high = torch.randn(3, 5, 4, generator=generator(11))
    omega = torch.acos(torch.dot(low.ravel(), high.ravel()) / (low.norm() * high.norm()))
    return {
        "shape": [3, 5, 4], "low": floats(low), "high": floats(high),
        "variation": [{"strength": t, "noise": floats(slerp_columns(t, low, high))} for t in (0, 0.25, 0.8, 1)],
        "slerp": [
            {"t": t, "noise": floats((torch.sin((1 - t) * omega) * low + torch.sin(t * omega) * high) / torch.sin(omega))}
            for t in (0, 0.3, 0.5, 1)
        ],
    }


def others():
    return {
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "torchsde": torchsde.__version__,
        "float16": float16(),
        "numpyRandn": [
            {"seed": seed, "calls": [floats(state.randn(n)) for n in (1, 2, 31, 16)]}
            for seed in (0, 42, 2**32 - 1)
            for state in [numpy.random.RandomState(seed)]
        ],
        "seedSequence": [
            {"entropy": str(entropy), "spawnKey": list(key), "poolSize": pool,
             "state": numpy.random.SeedSequence(entropy, spawn_key=key, pool_size=pool).generate_state(7).tolist()}
            for entropy in (0, 42, 2**32, 2**200 + 7)
            for key in ((), (0, 0), (5, 3, 2**33))
            for pool in (4, 24)
        ],
        "cuda": [
            {"seed": str(seed), "threads": threads, "calls": cuda_randn(seed, calls, threads)}
            for seed, threads, calls in [
                (0, 10**9, [6, 300]), (2**63 - 1, 10**9, [5, 5]), (7, 256, [300, 1100, 40]), (9, 600, [700, 2]),
            ]
        ],
        "brownian": brownian(),
        "mix": mixing(),
    }


def main():
    (HERE / "random_others.json").write_text(json.dumps(others()) + "\n")
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
