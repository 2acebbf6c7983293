# phrasebox serve on a processor, as a user without privileges:
#   docker build -t phrasebox . && docker run -p 8080:8080 -v "$PWD/ws:/data" phrasebox /data
# The address to open, with its token, is printed; give your own in PHRASEBOX_TOKEN (16 characters or more).
FROM python:3.12-slim

# Torch without CUDA is a tenth of the size; for another index: --build-arg TORCH_INDEX=URL
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PYTHONUNBUFFERED=1
WORKDIR /app
COPY pyproject.toml README.md LICENSE ./
COPY src src
# What is installed is bounded in pyproject.toml, and is not pinned.
# hadolint ignore=DL3013
RUN pip install --extra-index-url "$TORCH_INDEX" ".[web]" \
    && useradd --create-home --uid 1000 phrasebox \
    && mkdir /data && chown phrasebox /data

USER 1000
WORKDIR /data
EXPOSE 8080
HEALTHCHECK --start-period=60s --interval=30s --timeout=5s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/api/health', timeout=4)"]
ENTRYPOINT ["phrasebox", "serve", "--host", "0.0.0.0", "--port", "8080"]
