"""Writes training.json: losses with gradients, optimizer paths and learning rates of torch.

    python make_training.py

Made with torch 2.15.0 on a CPU.
"""
import json
import pathlib
import torch
import torch.nn.functional as F

torch.manual_seed(0)


def numbers(x):
    return [round(v, 9) for v in x.detach().double().flatten().tolist()]


def loss_case(inputs, compute, labels=None):
    tensors = {name: value.clone().requires_grad_() for name, value in inputs.items()}
    loss = compute(**tensors)
    grads = torch.autograd.grad(loss, list(tensors.values()))
    return {
        "inputs": {k: {"shape": list(v.shape), "data": numbers(v)} for k, v in inputs.items()},
        "loss": loss.item(),
        "gradients": {k: numbers(g) for k, g in zip(tensors, grads)},
        **({} if labels is None else {"labels": labels}),
    }


def losses():
    a, b = torch.randn(4, 5), torch.randn(4, 5)
    labels = [2, 0, 4, 4]

    def contrastive(a, b, scale):
        a, b = F.normalize(a, dim=1), F.normalize(b, dim=1)
        logits = a @ b.T * scale.exp()
        target = torch.arange(4)
        return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2

    def kl(mean, logvar):
        one = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
        own = torch.distributions.Normal(mean, (logvar / 2).exp())
        return torch.distributions.kl_divergence(own, one).sum() / mean.shape[0]

    def perceptual(a, b):
        a, b = F.normalize(a, dim=1), F.normalize(b, dim=1)
        return (a - b).square().sum(1).mean()

    picture = (2, 3, 2, 2)
    return {
        "mse": loss_case({"a": a, "b": b}, lambda a, b: F.mse_loss(a, b)),
        "l1": loss_case({"a": a, "b": b}, lambda a, b: F.l1_loss(a, b)),
        "cross_entropy": loss_case(
            {"a": a}, lambda a: F.cross_entropy(a, torch.tensor(labels)), labels
        ),
        "contrastive": loss_case({"a": a, "b": b, "scale": torch.tensor(1.3)}, contrastive),
        "kl": loss_case({"mean": a, "logvar": b}, kl),
        "perceptual": loss_case({"a": torch.randn(picture), "b": torch.randn(picture)}, perceptual),
    }


def min_snr():
    """Weights as the diffusers training scripts compute them, for SD's noise table."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float32) ** 2
    alphas = torch.cumprod(1 - betas, 0)
    steps = [0, 10, 250, 500, 999]
    snr = (alphas / (1 - alphas))[steps]
    capped = torch.minimum(snr, torch.tensor(5.0))
    return {
        "timesteps": steps,
        "epsilon": numbers(capped / snr),
        "v_prediction": numbers(capped / (snr + 1)),
    }


class Lion(torch.optim.Optimizer):
    """Algorithm 2 of arXiv:2302.06675."""

    def __init__(self, params, lr, betas, weight_decay):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            b1, b2 = group["betas"]
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                direction = (b1 * m + (1 - b1) * p.grad).sign()
                p.sub_(group["lr"] * (direction + group["weight_decay"] * p))
                m.mul_(b2).add_(p.grad, alpha=1 - b2)


def optimizers():
    start, gradients = torch.randn(6), torch.randn(5, 6)
    rates = [0.1, 0.1, 0.05, 0.02, 0.01]
    o = torch.optim
    makers = {
        "sgd": lambda p: o.SGD(p, lr=1, weight_decay=0.1),
        "momentum": lambda p: o.SGD(p, lr=1, momentum=0.9, weight_decay=0.1),
        "nesterov": lambda p: o.SGD(p, lr=1, momentum=0.8, nesterov=True),
        "rmsprop": lambda p: o.RMSprop(p, lr=1, alpha=0.9, weight_decay=0.1),
        "adam": lambda p: o.Adam(p, lr=1, weight_decay=0.1),
        "adamw": lambda p: o.AdamW(p, lr=1, weight_decay=0.1, betas=(0.8, 0.95)),
        "lion": lambda p: Lion(p, lr=1, betas=(0.9, 0.99), weight_decay=0.1),
    }
    paths = {}
    for name, make in makers.items():
        p = start.clone().requires_grad_()
        optimizer = make([p])
        paths[name] = []
        for rate, gradient in zip(rates, gradients):
            optimizer.param_groups[0]["lr"] = rate
            p.grad = gradient.clone()
            optimizer.step()
            paths[name].append(numbers(p))
    return {
        "start": numbers(start),
        "gradients": [numbers(g) for g in gradients],
        "rates": rates,
        "paths": paths,
    }


def schedules():
    def rates(make, steps):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
        schedule = make(optimizer)
        out = []
        for _ in range(steps):
            out.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        return out

    s = torch.optim.lr_scheduler
    return {
        "cosine": rates(lambda o: s.CosineAnnealingLR(o, T_max=10), 10),
        "one-cycle": rates(lambda o: s.OneCycleLR(o, max_lr=0.1, total_steps=10), 10),
    }


def clipping():
    gradients = [torch.randn(3, 2), torch.randn(4)]
    out = {"gradients": [numbers(g) for g in gradients]}
    for name, most in (("short", 0.5), ("long", 100.0)):
        ps = [torch.zeros_like(g, requires_grad=True) for g in gradients]
        for p, g in zip(ps, gradients):
            p.grad = g.clone()
        norm = torch.nn.utils.clip_grad_norm_(ps, most)
        out[name] = {"most": most, "norm": norm.item(), "clipped": [numbers(p.grad) for p in ps]}
    return out


out = {
    "torch": torch.__version__,
    "losses": losses(),
    "min_snr": min_snr(),
    "optimizers": optimizers(),
    "schedules": schedules(),
    "clipping": clipping(),
}
path = pathlib.Path(__file__).with_name("training.json")
path.write_text(json.dumps(out, indent=1) + "\n")
