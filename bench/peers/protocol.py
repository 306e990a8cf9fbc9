"""The Python half of the protocol that peer.ts speaks: a line in, a line of JSON out.

Commands: `load NETWORK`, `run NETWORK` (unet, text_encoder, vae_decoder), `quit`. Each answer has
the milliseconds it took; a run also has some values of its result, so that the programs can be
compared with one another.
"""

import json
import sys
import time

import numpy


def say(answer):
    print(json.dumps(answer), flush=True)


def wave(*shape):
    """The input that every program is given: sin(1), sin(2), ... in float32."""
    count = int(numpy.prod(shape))
    return numpy.sin(numpy.arange(1, count + 1, dtype=numpy.float64)).astype(numpy.float32).reshape(shape)


def tokens():
    """Token ids [1, 77] as a long prompt would give."""
    ids = (numpy.arange(77, dtype=numpy.int64) * 593) % 49406
    ids[0], ids[-1] = 49406, 49407
    return ids.reshape(1, 77)


def inputs(side):
    """What each network is fed, by the names that its graph has; `side` in latent pixels."""
    return {
        "unet": {
            "sample": wave(2, 4, side, side),
            "timestep": numpy.full((2,), 500, dtype=numpy.float32),
            "encoder_hidden_states": wave(2, 77, 768),
        },
        "text_encoder": {"input_ids": tokens()},
        "vae_decoder": {"latents": wave(1, 4, side, side)},
    }


def serve(versions, load, run):
    """Answers commands until `quit`; `run` returns a float32 array."""
    say({"versions": versions})
    for line in sys.stdin:
        command, _, network = line.strip().partition(" ")
        if command == "quit":
            return
        start = time.perf_counter()
        result = {"load": load, "run": run}[command](network)
        answer = {"ms": (time.perf_counter() - start) * 1000}
        if command == "run":
            flat = numpy.asarray(result, dtype=numpy.float32).reshape(-1)
            answer["values"] = flat[:: max(1, flat.size // 64)][:64].tolist()
        say(answer)
