#!/usr/bin/env bash
# Train the built-in aligner on the training captions of Flickr8k. A stopped run continues when it is started again.
#   recipes/builtin_aligner.sh FLICKR8K_FOLDER [WORKSPACE]
# FLICKR8K_FOLDER holds dataset_flickr8k.json, images/ and annotations.zip (Flickr30k Entities). The annotated boxes of
# training images are used to choose beta, those of the dev split to evaluate; nothing is trained on them. The packaged
# config names another proposer, objectness; the weights were trained on regions of selective search.
set -euo pipefail
data=$1
ws=${2:-build/flickr8k}
package=$(cd "$(dirname "$0")/.." && pwd)/src/phrasebox/pretrained/aligner
licence="Flickr terms of use, for non-commercial research and education"
phrasebox import "$data/dataset_flickr8k.json" "$ws" --images "$data/images" --licence "$licence"
phrasebox import "$data/annotations.zip" "$ws" --images "$data/images" --licence "$licence"
phrasebox regions "$ws" --proposer selective_search
phrasebox align "$ws" --start nothing
phrasebox evaluate "$ws" --split val --prior 0
python "$(dirname "$0")/../benchmarks/recording.py" flickr8k-val-selective-search "$ws"/results/val.json
mkdir -p "$package"
cp "$ws"/models/aligner/{config.json,model.safetensors,bank.safetensors} "$package"/
