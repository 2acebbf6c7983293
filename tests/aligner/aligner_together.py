"""What one of several processes does in the tests of the aligner's training; run as a script it is that process."""

from __future__ import annotations

import itertools
import pickle
import sys
from pathlib import Path

import numpy as np
import torch

from phrasebox.aligner import AlignerModel
from phrasebox.aligner.data import epoch_batches
from phrasebox.aligner.loss import objective
from phrasebox.aligner.step import Batches, Gradient, kept_regions
from phrasebox.aligner.train import train
from phrasebox.training import distributed


def gradient(pairs, model_settings, settings, execution):
    """Loss and gradient of the first batch of an untrained model."""
    torch.manual_seed(settings.seed)
    model = AlignerModel(model_settings, settings.dropout).train()
    batches = Batches(pairs, execution)
    rng = np.random.default_rng(0)
    plan = batches.plan(*next(epoch_batches(pairs, settings.batch, settings.captions, rng)))
    kept = kept_regions(pairs.regions.count, settings.drop_regions)
    loss = Gradient(model, "cpu", execution)(
        plan, kept, batches.read([plan]), lambda s, owner: objective(settings.objective, s, owner, settings.margin)
    )
    return loss, {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def shards(pairs, batch, epochs, execution):
    """The images that this process takes in the batches of some epochs."""
    batches = Batches(pairs, execution)
    found = []
    for epoch in range(epochs):
        plans = [batches.plan(*b) for b in epoch_batches(pairs, batch, 1, np.random.default_rng((0, epoch)))]
        found.append([plan.images[part].tolist() for plan in plans for part in plan.parts])
    return found


def work(name, *arguments):
    """One task by its name."""
    if name == "train":
        trained = train(*arguments[:-1], execution=arguments[-1])
        return [(e.loss, e.score) for e in trained.history], trained.model.state_dict()
    return {"gradient": gradient, "shards": shards}[name](*arguments)


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    tasks = pickle.loads((folder / "tasks.pkl").read_bytes())
    with distributed.joined():
        results = list(itertools.starmap(work, tasks))
        (folder / f"{distributed.rank()}.pkl").write_bytes(pickle.dumps(results))
