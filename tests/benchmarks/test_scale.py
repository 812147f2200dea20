"""The costs of millions of images: what is multiplied, what stays the same, and the arithmetic that the page shows."""

from benchmarks.speed import scale
from benchmarks.speed.scale import Cost, extrapolated_rows, measured_rows
from benchmarks.speed.scale_steps import STEPS

COSTS = {
    "list_for_predict": Cost(images=1000, seconds=0.025, memory=56_000),
    "tables": Cost(images=1000, seconds=0.05, memory=14_000_000, disk=450_000, files=2),
    "parquet": Cost(images=1000, seconds=0.05, memory=38_000_000, disk=100_000, files=0.01),
    "predict": Cost(images=400, seconds=2.0),
}


def amounts(what):
    row = next(row for row in extrapolated_rows(COSTS) if row["what"] == what)
    return [row["arithmetic"], *(row[f"{count} million"] for count in (1, 10, 100))]


def test_costs_of_an_image_are_multiplied_and_fixed_memory_is_not():
    assert set(COSTS) < set(STEPS)
    listing, writing = STEPS["list_for_predict"], STEPS["tables"]
    assert amounts(f"{listing}: processor time") == ["N × 25 µs", "25 s", "4.2 min", "42 min"]
    assert amounts(f"{listing}: memory") == ["N × 56 B", "56 MB", "560 MB", "5.6 GB"]
    assert amounts(f"{writing}: memory of the first process") == ["14 MB, for every N", "14 MB", "14 MB", "14 MB"]
    assert amounts(f"{writing}: disk") == ["N × 450 B", "450 MB", "4.5 GB", "45 GB"]
    assert amounts(f"{STEPS['parquet']}: files") == ["N / 100,000", "10", "100", "1,000"]
    assert amounts(f"{STEPS['predict']}: processor time") == ["N × 5.0 ms", "83 min", "14 h", "5.8 days"]
    assert amounts("`predict` on a GPU") == ["not measured: no GPU", "", "", ""]
    assert measured_rows(COSTS)[0]["processor time for each"] == "25 µs"


def test_the_page_of_the_docs_has_a_place_for_the_tables():
    page = (scale.Path(__file__).parents[2] / "docs" / "scale.md").read_text()
    assert page.index(scale.BEGIN) < page.index(scale.END)
