"""How much memory a model takes, and which of them fit beside each other.

What is in memory is measured by Ollama itself. For the others it is reckoned from the model's own file: its weights,
and for each token of context the keys and values of every layer, for as many questions as are answered side by side.
What the file does not say is not guessed: then it is unknown until the model was loaded once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sutazai_ops.deployment.limits import limits
from sutazai_ops.models.manifest import environment_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sutazai_ops.models.ollama import Shape

DEFAULT_CONTEXT = 4096
"""What Ollama takes where nobody says: https://docs.ollama.com/faq, OLLAMA_CONTEXT_LENGTH."""
DEFAULT_LOADED = 3
"""Without a GPU: https://docs.ollama.com/faq, OLLAMA_MAX_LOADED_MODELS."""
KEY_BYTES = {"f16": 2.0, "q8_0": 34 / 32, "q4_0": 18 / 32}
"""Bytes of a number in the cache of keys and values, by OLLAMA_KV_CACHE_TYPE: blocks of 32 numbers and their scale
(https://github.com/ggml-org/ggml, ggml-common.h)."""
COMPUTED_IN = 0.1
"""The share of weights and cache that is reserved to compute in. Between 4 and 10 % in what is published of models of 1
to 8 billion parameters; the higher one, since what is not there ends the server."""


@dataclass(frozen=True, slots=True)
class Server:
    """What one Ollama may use, by its service's definition."""

    name: str
    memory: int | None = None
    """Bytes; None for no limit."""
    loaded: int = DEFAULT_LOADED
    """Models in memory at once."""
    parallel: int = 1
    """Questions answered side by side, each with a context of its own."""
    context: int = DEFAULT_CONTEXT
    key_bytes: float = KEY_BYTES["f16"]


def server(name: str, definition: Mapping[str, Any]) -> Server:
    """What a definition lets its Ollama use: https://docs.ollama.com/faq#how-does-ollama-handle-concurrent-requests."""
    environment = environment_of(definition)

    def number(variable: str, usual: int) -> int:
        value = environment.get(variable, "")
        return int(value) if value.isdigit() and int(value) else usual

    return Server(
        name=name,
        memory=limits(definition).memory,
        loaded=number("OLLAMA_MAX_LOADED_MODELS", DEFAULT_LOADED),
        parallel=number("OLLAMA_NUM_PARALLEL", 1),
        context=number("OLLAMA_CONTEXT_LENGTH", DEFAULT_CONTEXT),
        key_bytes=KEY_BYTES.get(environment.get("OLLAMA_KV_CACHE_TYPE", "f16"), KEY_BYTES["f16"]),
    )


def reckoned(weights: int, shape: Shape, where: Server, context: int | None = None) -> int | None:
    """Bytes that a model will take in memory; None where its file does not say enough.

    Weights, and for each layer and each token of each of the contexts one key and one value for every head that has its
    own (https://arxiv.org/abs/2305.13245), and what is computed in.

    Args:
        weights: bytes on the disk.
        shape: what its file says.
        where: the server that loads it.
        context: tokens, if not the server's own number.
    """
    if not shape.makes_words:
        # A model of vectors reads a text at once and keeps nothing of it; Ollama loads it for one question at a time.
        return round(weights * (1 + COMPUTED_IN))
    layers, heads, key, value = shape.layers, shape.kv_heads, shape.key_length, shape.value_length
    if layers is None or heads is None or key is None or value is None:
        return None
    tokens = min(context or where.context, shape.trained_context or context or where.context) * where.parallel
    cache = layers * heads * (key + value) * where.key_bytes * tokens
    return round((weights + cache) * (1 + COMPUTED_IN))


def refuses(model: str, beside: Mapping[str, int | None], takes: int | None, where: Server) -> str:
    """Why a model does not fit beside those that are in memory; empty where it does, or where that is unknown.

    Args:
        model: which one.
        beside: the others, each with its bytes.
        takes: its own bytes.
        where: the server.
    """
    from sutazai_ops import human

    if len(beside) >= where.loaded:
        return (
            f"{where.name} holds {human.count(where.loaded, 'model')} at once (OLLAMA_MAX_LOADED_MODELS), and"
            f" {', '.join(beside)} {'comes' if len(beside) == 1 else 'come'} first"
        )
    if where.memory is None or takes is None:
        return ""
    taken = sum(size or 0 for size in beside.values())
    if taken + takes <= where.memory:
        return ""
    with_others = f", and {', '.join(beside)} {human.memory(taken)}" if beside else ""
    return f"{model} takes {human.memory(takes)}{with_others}: {where.name} has {human.memory(where.memory)}"
