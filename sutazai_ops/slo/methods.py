"""How each number of a report is got, for its foot."""

from __future__ import annotations

from sutazai_ops.slo import report_model as m

PAGE = "docs/slo/what-the-figures-mean.md"
METHODS = (
    m.Method(
        name="R", meaning="Of the requests that were counted, the good ones", formula="good / total",
        source=PAGE,
    ),
    m.Method(
        name="P", meaning="Of the minutes in which the probe was asked, those in which it was answered",
        formula="answered minutes / asked minutes", source=PAGE,
    ),
    m.Method(
        name="K", meaning="What users had: as R, with the requests that could not be made while it was down",
        formula="good / (total + imputed)", source=PAGE,
    ),
    m.Method(
        name="Imputed requests",
        meaning="What the same hour of other days would have brought, by how busy the hours around it were",
        formula="mean of the hour on up to 8 days of the same kind, times busyness, less what was counted while down",
        source=PAGE,
    ),
    m.Method(
        name="C", meaning="How much of the time was measured", formula="measured minutes / minutes that have passed",
        source=PAGE,
    ),
    m.Method(
        name="Verdict",
        meaning="Met or missed by K (requests), R (speed) or P (time); with low coverage below 99 %; insufficient data"
        " below 90 % or with too few events, unless it is missed whatever the rest had been",
        formula="figure ≥ target", source=PAGE,
    ),
    m.Method(
        name="Budget", meaning="What may go wrong in the period",
        formula="(1 - target) of events, or of measured minutes",
        source="The Site Reliability Workbook (O'Reilly 2018), chapter 2",
    ),
    m.Method(
        name="Burn rate", meaning="1 spends exactly the budget in exactly the period",
        formula="share of the budget spent / share of the period passed",
        source="The Site Reliability Workbook (O'Reilly 2018), chapter 5",
    ),
    m.Method(
        name="Interval", meaning="Where the true share lies at 95 %, where events are few",
        formula="(p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n)",
        source="E. B. Wilson, Journal of the American Statistical Association 22 (1927), 209-212",
    ),
    m.Method(
        name="95th percentile", meaning="Within about this, 95 of 100 were answered; read off buckets, so colour only",
        formula="straight line inside the bucket, as histogram_quantile",
        source="https://prometheus.io/docs/practices/histograms/",
    ),
)  # fmt: skip
