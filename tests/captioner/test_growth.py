"""A captioner that learns new words."""

from __future__ import annotations

import torch

from phrasebox.captioner import CaptionerModel, ModelSettings, Vocabulary
from phrasebox.captioner.growth import grown, mapped
from phrasebox.text.vocabulary import FIRST


def test_new_words_come_behind_and_say_what_their_neighbours_say():
    torch.manual_seed(0)
    vocabulary = Vocabulary(("a", "dog", "puppy", "cup", "bowl", "car", "truck", "horse", "pony", "plate"))
    settings = ModelSettings(vector_dim=6, dim=8, embed=8, heads=2)
    model = CaptionerModel(settings, len(vocabulary)).eval()
    larger, words = grown(model, vocabulary, ["dog", "mug", "cup", "mug", "hound"], dropout=0.3)
    assert words.terms == (*vocabulary.terms, "mug", "hound")
    assert larger.bias.shape == (len(vocabulary) + 2,)
    for name, tensor in model.state_dict().items():
        assert torch.equal(larger.state_dict()[name][: len(tensor)], tensor), name
    rows = larger.embedding.weight.detach()
    rows = torch.nn.functional.normalize(rows - rows[FIRST : len(vocabulary)].mean(0), dim=1)
    near = (rows[len(vocabulary) :] @ rows[FIRST : len(vocabulary)].T).argmax(1).tolist()
    assert vocabulary.terms[near[0]] == "cup"
    same, again = grown(model, vocabulary, ["dog"])
    assert again == vocabulary
    assert torch.equal(same.bias, model.bias)


def test_output_layers_of_their_own_grow_too():
    vocabulary = Vocabulary(("a", "dog", "cat"))
    settings = ModelSettings(vector_dim=6, decoder="rnn", attention=False, dim=8, embed=8, tied=False)
    larger, _ = grown(CaptionerModel(settings, len(vocabulary)), vocabulary, ["horse"])
    assert larger.output.shape == larger.embedding.weight.shape == (len(vocabulary) + 1, 8)


def test_a_map_of_vectors_is_found_again():
    generator = torch.Generator().manual_seed(0)
    known, weights = torch.randn(400, 5, generator=generator), torch.randn(5, 3, generator=generator)
    unknown = torch.randn(4, 5, generator=generator)
    found = mapped(known, known @ weights + 2, unknown)
    assert torch.nn.functional.cosine_similarity(found - 2, unknown @ weights).min() > 0.99
