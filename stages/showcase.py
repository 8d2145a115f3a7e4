"""What the report shows of one variant: some users' recommendations with reasons, and the model as a page can compute it."""

from __future__ import annotations

from pipeline import artifacts
from pipeline.report.browser_model import fold, why_not
from pipeline.report.people import chosen_people, recommended
from pipeline.run_settings import DeviceConfig, torch_device
from stages.data import read_data
from stages.models import read_model
from stages.stage import Reads, Settings, run_variant_stage, say

READS = Reads(run=DeviceConfig)


def main(dataset: str, variant: str, settings: Settings) -> None:
    device = torch_device(settings.run(DeviceConfig).device)
    data = read_data(dataset)
    model = read_model(dataset, variant, data, device)
    curve = artifacts.USERS_CURVE.of(variant=variant).read(dataset)
    refused = why_not(model)
    folded = None if refused else fold(model)
    found = recommended(model, data, chosen_people(data))
    artifacts.SHOWCASE_MODEL.of(variant=variant).write(
        folded.arrays if folded else {"items": model.items.cpu().numpy()},
        dataset,
        about={
            "best_epoch": artifacts.MODEL.of(variant=variant).about(dataset)["best_epoch"],
            "refused": refused,
            "exponents": folded.exponents if folded else {},
        },
    )
    artifacts.SHOWCASE_CURVE.of(variant=variant).write(curve, dataset)
    artifacts.SHOWCASE_RECOMMENDATIONS.of(variant=variant).write(found.recommendations, dataset)
    artifacts.SHOWCASE_REASONS.of(variant=variant).write(found.reasons, dataset)
    in_page = f"not in a page: {refused}" if folded is None else f"{folded.size / 1e6:.1f} MB in a page"
    say(dataset, "showcase", f"{variant}: {found.recommendations['user'].n_unique()} users; {in_page}")


if __name__ == "__main__":
    run_variant_stage("showcase", READS, main)
