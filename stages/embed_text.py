"""Encode every item's text with a frozen BERT (`pipeline.text`)."""

from __future__ import annotations

from pipeline.artifacts.data import ITEMS
from pipeline.artifacts.text import TEXT_VECTORS
from pipeline.common.devices import torch_device
from pipeline.common.errors import quoted
from pipeline.common.settings import DeviceConfig
from pipeline.text.encoder import TextEncoder
from pipeline.text.precision import agreement, without_instructions
from pipeline.text.settings import TextConfig, TextTemplateConfig
from pipeline.text.template import item_texts
from stages.shared.engine import engine
from stages.shared.stage import Reads, Settings, Stage, run_stage, say, warn

STAGE = Stage(
    "embed_text",
    settings=Reads(run=DeviceConfig, dataset=TextTemplateConfig, stage=TextConfig),
    reads=(ITEMS,),
    writes=(TEXT_VECTORS,),
)


def main(dataset: str, settings: Settings) -> None:
    items = ITEMS.read(dataset)
    texts = item_texts(items, settings.dataset(TextTemplateConfig).text_template)
    config = settings.stage(TextConfig)
    device = torch_device(settings.run(DeviceConfig).device)
    if config.precision == "bfloat16":
        warn(dataset, "embed_text", without_instructions(device))
    encoder = TextEncoder(config, device)
    with engine(settings, dataset, "embed_text", device) as map_blocks:
        vectors = encoder.encode(texts, map_blocks=map_blocks, progress=True)
    TEXT_VECTORS.write({"vectors": vectors}, dataset)
    about = f"{len(set(texts))} different texts, for example {quoted(texts[0])}" if any(texts) else "none with a text"
    say(dataset, "embed_text", f"{len(texts)} items, {about}; vectors {encoder.width} wide")
    if config.precision == "bfloat16" and any(texts):
        say(dataset, "embed_text", f"bfloat16: {agreement(texts, vectors, config, device).in_words()}")
    without = texts.count("")
    if 0 < without < len(texts):
        warn(dataset, "embed_text", [f"{without} of {len(texts)} items have no text; they are known only by the graph"])


if __name__ == "__main__":
    run_stage(STAGE, main)
