"""The model: SmolLM2-135M-Instruct by llama.cpp, in this process, with one thread, at temperature 0."""

import os
from pathlib import Path
from typing import Any, Optional

FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
CONTEXT = 4096  # tokens
MOST = 24  # tokens of an answer; the longest that is right has 16


class Model:
    """A loaded model; 250 MB, half a second."""

    def __init__(self, file: Path) -> None:
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(file)
        params.n_ctx = CONTEXT
        params.n_parallel = 1
        # More threads than free cores make it many times slower.
        params.cpuparams.n_threads = 1
        params.cpuparams_batch.n_threads = 1
        params.cache_ram_mib = 0
        params.warmup = False
        params.verbosity = 0
        self._server = xllamacpp.Server(params)

    def ask(self, messages: list[dict[str, str]], grammar: Optional[str]) -> tuple[str, dict[str, Any]]:
        """What the model says, and the tokens that were read and written."""
        body: dict[str, Any] = {"messages": messages, "temperature": 0, "max_tokens": MOST, "cache_prompt": True}
        if grammar is not None:
            body["grammar"] = grammar
        answer = self._server.handle_chat_completions(body)
        if "choices" not in answer:
            raise RuntimeError(f"the model gives no answer: {answer}")
        usage = answer.get("usage", {})
        tokens = {"input_tokens": usage.get("prompt_tokens", 0), "output_tokens": usage.get("completion_tokens", 0)}
        return answer["choices"][0]["message"]["content"] or "", tokens


def file_in(venv: Path) -> Path:
    """Where setup.sh put the model's file."""
    return Path(os.path.join(venv, "model", FILE))
