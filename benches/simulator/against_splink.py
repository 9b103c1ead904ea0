#!/usr/bin/env python3
"""Links the simulator's papers by Splink (PyPI `splink` 5 and `pandas`, DuckDB), and prints it beside what nicufaxd makes of the same.

    cargo bench --bench simulator -- DOCUMENTS CASES SEED --table DIR      writes DIR/papers.csv and DIR/cases.csv
    python3 benches/simulator/against_splink.py DIR

Splink gets each fact in a column of its own, as the line garbled it, without any mistake about labels, siblings' numbers
or names; nicufaxd has to find them on the pages. Both are asked for as many links as they can make at the same
precision: Splink's threshold is put, with the truth in hand, where it makes no more wrong links than nicufaxd (and, on a
second line, with the next case ten bits behind, which Splink itself does not ask for).
"""
import sys

try:
    import duckdb  # noqa: F401
    import pandas as pd
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on
except ImportError:
    print("*" * 70, "*** SKIPPED: splink is not installed (pip install splink pandas); nothing was compared.", "*" * 70, sep="\n")
    sys.exit(0)

COLUMNS = ["mrn", "auth", "member", "dob", "last", "first", "letter", "sex", "mother_first", "mother_last", "facility"]


def main(folder: str) -> None:
    def read(name):
        return pd.read_csv(f"{folder}/{name}.csv", dtype=str, keep_default_na=False).replace("", None)

    papers, cases = read("papers"), read("cases")
    cases = cases.assign(case_id=cases["unique_id"])
    settings = SettingsCreator(
        link_type="link_only",
        comparisons=[
            cl.LevenshteinAtThresholds("mrn", [1]),
            cl.LevenshteinAtThresholds("auth", [1]),
            cl.LevenshteinAtThresholds("member", [1]),
            cl.LevenshteinAtThresholds("dob", [1]).configure(term_frequency_adjustments=True),
            cl.JaroWinklerAtThresholds("last", [0.92, 0.8]).configure(term_frequency_adjustments=True),
            cl.JaroWinklerAtThresholds("first", [0.9]).configure(term_frequency_adjustments=True),
            cl.ExactMatch("letter"),
            cl.ExactMatch("sex"),
            cl.JaroWinklerAtThresholds("mother_first", [0.9]).configure(term_frequency_adjustments=True),
            cl.JaroWinklerAtThresholds("mother_last", [0.9]).configure(term_frequency_adjustments=True),
            cl.JaroWinklerAtThresholds("facility", [0.9]).configure(term_frequency_adjustments=True),
        ],
        blocking_rules_to_generate_predictions=[
            block_on("mrn"),
            block_on("auth"),
            block_on("member"),
            block_on("last", "dob"),
            block_on("dob", "mother_first"),
            block_on("last", "mother_first"),
        ],
        retain_intermediate_calculation_columns=False,
        max_iterations=40,
    )
    database = DuckDBAPI()
    tables = [
        database.register(table[["unique_id", *COLUMNS]], dataset_display_name=name)
        for table, name in ((papers, "papers"), (cases, "cases"))
    ]
    linker = Linker(tables, settings)
    training = linker.training
    training.estimate_probability_two_random_records_match([block_on("mrn"), block_on("auth")], recall=0.93)
    training.estimate_u_using_random_sampling(max_pairs=2e6, seed=1)
    training.estimate_parameters_using_expectation_maximisation(block_on("mrn"))
    training.estimate_parameters_using_expectation_maximisation(block_on("last", "dob"))
    pairs = linker.inference.predict(threshold_match_weight=-10).as_pandas_dataframe()
    left = pairs["source_dataset_l"] == "papers"
    pairs["paper"] = pairs["unique_id_l"].where(left, pairs["unique_id_r"])
    pairs["case"] = pairs["unique_id_r"].where(left, pairs["unique_id_l"])
    ranked = pairs.sort_values(["paper", "match_weight"], ascending=[True, False]).groupby("paper")
    best = ranked.nth(0).set_index("paper")
    second = ranked.nth(1).set_index("paper")["match_weight"]
    papers = papers.drop_duplicates("unique_id").set_index("unique_id")
    papers["case"] = best["case"]
    papers["weight"] = best["match_weight"]
    papers["ahead"] = papers["weight"] - second.reindex(papers.index).fillna(-1000)
    papers["right"] = papers["case"] == papers["truth"]
    with_case = papers["truth"].notna().sum()
    linkable = papers["linkable"] == "1"

    ours = papers["ours"].notna()
    wrong = int((ours & (papers["ours"] != papers["truth"])).sum())

    def told(name: str, linked: "pd.Series", right: "pd.Series") -> None:
        of_linkable = (linked & right & linkable).sum() / max(linkable.sum(), 1)
        print(
            f"{name:<34}{100 * linked.sum() / len(papers):>7.1f} %{100 * (linked & right).sum() / with_case:>14.1f} %"
            f"{100 * of_linkable:>13.1f} %{int((linked & ~right).sum()):>8}"
        )

    print(f"{len(papers)} papers, {len(cases)} cases")
    print(f"{'':<34}{'linked':>9}{'of those due':>16}{'of linkable':>15}{'wrong':>8}")
    told("nicufaxd", ours, papers["ours"] == papers["truth"])
    for name, eligible in [("Splink", papers["weight"].notna()), ("Splink, ten bits ahead", papers["ahead"] >= 10)]:
        told(name + f", as wrong as that ({wrong})", *accepted(papers, eligible, wrong))
    told("Splink, probability 0.99", (papers["weight"] >= 6.6), papers["right"])
    told("Splink, 0.9999, ten bits ahead", (papers["weight"] >= 13.3) & (papers["ahead"] >= 10), papers["right"])


def accepted(papers, eligible, wrong: int):
    """The most links of the heaviest that hold no more than so many wrong ones."""
    order = papers[eligible].sort_values("weight", ascending=False)
    errors = (~order["right"]).cumsum()
    chosen = order.index[errors <= wrong]
    linked = papers.index.isin(chosen)
    return pd.Series(linked, index=papers.index), papers["right"]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: against_splink.py DIR   (see the file's head)")
    main(sys.argv[1])
