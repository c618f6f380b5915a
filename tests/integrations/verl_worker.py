"""verl's own parts without GPUs: its configuration, a server that gives scripted tokens, a processor."""

import json
import re
from pathlib import Path

from shiftgym.models.loading.shipped import WEIGHTS

SCRIPT = Path(__file__).parents[2] / "examples" / "integrations" / "verl" / "train.sh"


def config(folder, model, settings):
    """verl's whole configuration with every override of the example, so that a key that verl does not know fails.

    Args:
        folder: of the data.
        model: a shipped backbone.
        settings: further overrides.
    """
    import verl
    from hydra import compose, initialize_config_dir

    values = {"OUT": folder, "MODEL": WEIGHTS / model, "LOOP": "shiftgym", "GPUS": 1, "HERE": SCRIPT.parent}
    overrides = dict(re.findall(r"^    ([\w.]+)=(.*?)(?: \\)?$", SCRIPT.read_text(), re.MULTILINE))
    for name, value in overrides.items():
        for variable, meant in values.items():
            value = value.replace(f"${variable}", str(meant))
        overrides[name] = value.replace('"', "")
    overrides |= {"+data.cache_dir": folder / "cache", **settings}
    with initialize_config_dir(str(Path(verl.__file__).parent / "trainer" / "config"), version_base=None):
        return compose("ppo_trainer", overrides=[f"{name}={value}" for name, value in overrides.items()])


def processor_of(backbone):
    """The processor of a shipped vision backbone, which verl's transformers finds by itself with torchvision only."""
    from transformers import AutoTokenizer
    from transformers.models.idefics3 import Idefics3Processor
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

    folder = WEIGHTS / backbone
    settings = json.loads((folder / "processor_config.json").read_text())
    settings["image_processor"].pop("image_processor_type")
    return Idefics3Processor(
        Idefics3ImageProcessorPil(**settings["image_processor"]),
        AutoTokenizer.from_pretrained(folder),
        image_seq_len=settings["image_seq_len"],
        chat_template=(folder / "chat_template.jinja").read_text(),
    )


class Request:
    """The requests of one conversation."""

    def __init__(self, prompt_ids, answers):
        self.prompt_ids, self.answers = prompt_ids, iter(answers)
        self.given, self.read, self.room, self.images = [], [], [], []


class Server:
    """Stands for verl's client of the servers that generate.

    Args:
        answers: what is answered, by the text of the prompt.
    """

    def __init__(self, answers):
        self.answers, self.tokenizer, self.requests = answers, None, {}

    async def generate(self, request_id, *, prompt_ids, sampling_params, image_data=None, **_):
        from verl.workers.rollout.replica import TokenOutput

        prompt = self.tokenizer.decode(prompt_ids)
        if request_id not in self.requests:
            self.requests[request_id] = Request(prompt_ids, self.answers[prompt])
        asked = self.requests[request_id]
        # As no tokenizer would cut it.
        text = next(asked.answers)
        ids = [token for sign in text for token in self.tokenizer(sign, add_special_tokens=False)["input_ids"]]
        ids.append(self.tokenizer.eos_token_id)
        assert self.tokenizer.decode(ids, skip_special_tokens=True) == text
        asked.given.append(ids)
        asked.read.append(list(prompt_ids))
        asked.room.append(sampling_params["max_tokens"])
        asked.images.append(image_data)
        return TokenOutput(token_ids=ids, log_probs=[-0.5] * len(ids), extra_fields={"min_global_steps": 7})
