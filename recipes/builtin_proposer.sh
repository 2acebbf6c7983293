#!/usr/bin/env bash
# Train the built-in proposer of boxes. A stopped run continues when it is started again.
#   recipes/builtin_proposer.sh FLICKR8K_FOLDER [WORKSPACE]
# FLICKR8K_FOLDER holds dataset_flickr8k.json, images/ and annotations.zip (Flickr30k Entities). It is trained on the boxes
# of training images without their words. The boxes of the dev split only measure.
set -euo pipefail
data=$1
ws=${2:-build/flickr8k}
package=$(cd "$(dirname "$0")/.." && pwd)/src/phrasebox/pretrained/proposer
licence="Flickr terms of use, for non-commercial research and education"
phrasebox import "$data/dataset_flickr8k.json" "$ws" --images "$data/images" --licence "$licence"
phrasebox import "$data/annotations.zip" "$ws" --images "$data/images" --licence "$licence"
phrasebox propose "$ws"
mkdir -p "$package"
cp "$ws"/models/proposer/{config.json,model.safetensors,README.md} "$package"/
python "$(dirname "$0")/../benchmarks/regions.py" "$data" --split val --images 1000
