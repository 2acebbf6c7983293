#!/usr/bin/env bash
# The built-in aligner, from the training captions of Flickr8k. Stopped, it goes on where it was.
#   recipes/builtin_aligner.sh FLICKR8K_FOLDER [WORKSPACE]
# FLICKR8K_FOLDER holds dataset_flickr8k.json, images/ and annotations.zip (Flickr30k Entities). The boxes in it
# choose beta, on training images, and measure; nothing is trained on them.
set -euo pipefail
data=$1
ws=${2:-build/flickr8k}
package=$(cd "$(dirname "$0")/.." && pwd)/src/phrasebox/pretrained/aligner
licence="Flickr terms of use, for non-commercial research and education"
phrasebox import "$data/dataset_flickr8k.json" "$ws" --images "$data/images" --licence "$licence"
phrasebox import "$data/annotations.zip" "$ws" --images "$data/images" --licence "$licence"
phrasebox regions "$ws"
phrasebox align "$ws"
phrasebox evaluate "$ws" --split val
python "$(dirname "$0")/../benchmarks/recording.py" flickr8k-val "$ws"/results/val.json
mkdir -p "$package"
cp "$ws"/models/aligner/{config.json,model.safetensors,bank.safetensors} "$package"/
