#!/bin/sh
# Makes the Python environment of the peers: bench/peers/make_venv.sh FOLDER
# The versions are pinned, so that two records of HISTORY.md compare the same programs.
set -eu

if [ $# -ne 1 ]; then
  echo "usage: $0 FOLDER" >&2
  exit 2
fi

python3 -m venv "$1"
"$1/bin/python" -m pip install --quiet \
  numpy==2.4.6 \
  torch==2.15.0 \
  diffusers==0.42.1 \
  transformers==5.24.0 \
  accelerate==1.15.0 \
  safetensors==0.8.0 \
  onnx==1.23.2 \
  onnxscript==0.7.2 \
  onnxruntime==1.32.0 \
  openvino==2025.4.1
"$1/bin/python" -m pip list --format=freeze | grep -iE "^(torch|diffusers|transformers|onnx|onnxruntime|onnxscript|openvino|numpy)="
