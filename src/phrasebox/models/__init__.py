"""What the aligner and the captioner share: loading, saving, uploading, and cards."""
