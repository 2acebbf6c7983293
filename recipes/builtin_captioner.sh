#!/usr/bin/env bash
# Train the built-in captioner on the training captions of Flickr8k and the phrases decoded from them. A stopped run
# continues when it is started again.
#   recipes/builtin_captioner.sh FLICKR8K_FOLDER [WORKSPACE]
# FLICKR8K_FOLDER holds dataset_flickr8k.json, images/ and annotations.zip (Flickr30k Entities). Nothing is trained on
# the annotated boxes; they are used to evaluate the phrases of regions. The captions of the dev split choose the epoch.
# The second training starts from the first; what it keeps, by the captions of the dev split, lies between the two. The
# packaged weights began as those of version 0.1, which the first training made with regions of selective search.
set -euo pipefail
data=$1
ws=${2:-build/flickr8k}
package=$(cd "$(dirname "$0")/.." && pwd)/src/phrasebox/pretrained/captioner
licence="Flickr terms of use, for non-commercial research and education"
phrasebox import "$data/dataset_flickr8k.json" "$ws" --images "$data/images" --licence "$licence"
phrasebox import "$data/annotations.zip" "$ws" --images "$data/images" --licence "$licence"
phrasebox regions "$ws"
phrasebox ground "$ws"
phrasebox caption "$ws" --start nothing --precision bf16 --name first
phrasebox caption "$ws" --start "$ws"/models/first --epochs 4 --reward-epochs 0 --lr 0.0005
phrasebox evaluate "$ws" --split val --captions-only
python "$(dirname "$0")/../benchmarks/recording.py" flickr8k-val-captions "$ws"/results/val-captions.json
mkdir -p "$package"
cp "$ws"/models/captioner/{config.json,model.safetensors,README.md} "$package"/
