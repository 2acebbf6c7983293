"""What one of several processes does in the tests of the captioner's training; run as a script it is that process."""

from __future__ import annotations

import itertools
import pickle
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from phrasebox.captioner import CaptionTask
from phrasebox.captioner.train import train
from phrasebox.training import distributed


def gradient(corpus, model_settings, settings, execution, phase="words"):
    """Loss and gradient of the first batch of an untrained model; summed over processes."""
    if phase == "reward":
        settings = replace(settings, reward_epochs=1)
    task = CaptionTask(corpus, None, model_settings, settings, "cpu", execution)
    task.model.train()
    batch = task.batches(np.random.default_rng(0))[0]
    loss, figures = task.gradient(batch, task.read([batch]), phase)
    told = np.sum(distributed.gather_lists([np.array([loss, *figures])]), axis=0).tolist()
    return told, {name: p.grad for name, p in task.model.named_parameters() if p.grad is not None}


def work(name, *arguments):
    """One task by its name."""
    if name == "train":
        trained = train(*arguments[:-1], execution=arguments[-1])
        return [(e.loss, e.reward, e.cider) for e in trained.history], trained.model.state_dict()
    return gradient(*arguments)


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    tasks = pickle.loads((folder / "tasks.pkl").read_bytes())
    with distributed.joined():
        results = list(itertools.starmap(work, tasks))
        (folder / f"{distributed.rank()}.pkl").write_bytes(pickle.dumps(results))
