"""Small scripts that measure: `python -m benchmarks.latency`, `.memory`, `.published_size`, `.concurrency`."""
