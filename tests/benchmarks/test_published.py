"""Published numbers: some checked by hand, all with a source."""

from __future__ import annotations

from benchmarks.protocol.named import PROTOCOLS
from benchmarks.tables.published import published_table, read_published


def test_table_3_and_the_later_works() -> None:
    found = {row.method: row for row in read_published(["aligned_k10"])}
    assert found["Thewlis et al. 2017"].value == 7.95
    assert found["LatentKeypointGAN, tuned"].value == 3.31
    margin = found["LatentKeypointGAN, also without margin"]
    assert (margin.value, margin.place, margin.row, margin.secondary) == (5.85, "table 3", "- margin", False)
    assert found["AutoLink"].secondary
    assert "not checked against the paper" in found["AutoLink"].source
    assert "table 3; row 'Dundar et al. (2020)'" in found["Dundar et al. 2020"].source
    assert len(found) == 13
    wild = {row.method: row.value for row in read_published(["wild_k4", "wild_k8"])}  # K = 8 last
    assert len(read_published(["wild_k4"])) == 9
    assert len(read_published(["wild_k8"])) == 12
    assert (wild["StableKeypoints"], wild["GANSeg"], wild["Zhang et al. 2018"]) == (4.35, 6.18, 40.82)


def test_fid_and_ablation_tables() -> None:
    assert [row.value for row in published_table("table 1")] == [23.69, 22.43, 17.66, 21.71, 20.12]
    parts = {(row.method, row.unit): row.value for row in published_table("table 2")}
    assert parts["without keypoint embedding", "%"] == 22.81
    assert parts["additive global style", "FID"] == 42.02
    assert ("without keypoints", "%") not in parts
    assert len(parts) == 13
    widths = {(row.row, row.unit): row.value for row in published_table("table 6")}
    assert (widths["16", "%"], widths["16", "FID"], widths["128", "FID"]) == (4.61, 28.85, 23.5)
    for place, unit, corners in (("table 7", "FID", (19.35, 19.29, 18.17)), ("table 8", "%", (11.59, 5.35, 8.26))):
        cells = {(row.row, row.measures.partition(", ")[2]): row.value for row in published_table(place)}
        assert len(cells) == 24
        found = (cells["tau = 0.002", "K = 1"], cells["tau = 0.002", "K = 32"], cells["tau = 0.02", "K = 32"])
        assert found == corners
        assert {row.unit for row in published_table(place)} == {unit}
    assert [row.value for row in read_published(["celeba_fid"])] == [18.34]


def test_every_number_says_where_it_stands_and_protocols_find_theirs() -> None:
    columns = [column for protocol in PROTOCOLS.values() for column in protocol.published]
    for column in columns:
        assert read_published([column])
    for row in (*read_published(columns), *published_table("table 7")):
        assert row.citation
        assert row.place
        assert row.row
        assert row.value > 0
