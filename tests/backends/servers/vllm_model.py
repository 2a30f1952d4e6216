"""Runs inside vLLM's environment: writes a model of a few thousand numbers that has no weights yet, but a tokenizer.

`python vllm_model.py FOLDER`. vLLM fills in the weights itself (`--load-format dummy`).
"""

import json
import sys
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers

SPECIAL = ["<|begin|>", "<|end|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{%- for message in messages -%}<|im_start|>{{ message.role }}\n"
    "{{ message.content if message.content is string else '' }}"
    "{%- for call in message.tool_calls or [] -%}{{ call.function.name }}{{ call.function.arguments }}{%- endfor -%}"
    "<|im_end|>{%- endfor -%}<|im_start|>assistant\n"
)
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5,
    "bos_token_id": 256,
    "eos_token_id": 257,
    "torch_dtype": "float32",
    "tie_word_embeddings": True,
}


def write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={char: number for number, char in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.save(str(folder / "tokenizer.json"))
    named = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": SPECIAL[0],
        "eos_token": SPECIAL[1],
        "chat_template": TEMPLATE,
        "model_max_length": 512,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(named))
    (folder / "config.json").write_text(json.dumps({**CONFIG, "vocab_size": len(alphabet) + len(SPECIAL)}))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
