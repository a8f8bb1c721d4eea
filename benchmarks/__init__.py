"""Where the figures of README come from: each module runs with one command and prints a table.

    python -m benchmarks.mining                    against sentence-transformers, side by side
    python -m benchmarks.out_of_core               50k queries x 1M documents from disk
    python -m benchmarks.rules                     the chain of numeric rules alone
    python -m benchmarks.planted_false_negatives   what each rule lets through
    python -m benchmarks.llm_client                CPU and memory per LLM call, beside bare aiohttp
    python -m benchmarks.vllm_throughput           vLLM given the prompts straight, and by Pairmill
    python -m benchmarks.gpu_mining                the same search on an NVIDIA GPU

`--tiny` runs each in seconds: it shows that the benchmark works and says nothing about speed.
`RESULTS.md` holds the figures with hardware and command. Every contender runs in a process of its
own (`measure`), on one thread unless `--threads` says otherwise, so that seconds are core-seconds.
"""
