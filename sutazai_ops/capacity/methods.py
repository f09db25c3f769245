"""How each number of a report is got, for its foot."""

from __future__ import annotations

from sutazai_ops.slo.report_model import Method

RIGHT_SIZING = "docs/capacity/right-sizing.md"
COST = "docs/capacity/what-a-request-costs.md"
METRICS = "docs/capacity/success-metrics.md"
METHODS = (
    Method(
        name="Memory limit", meaning="Enough for the highest peak, and for 95 % of the time below 70 %",
        formula="max(1.25 · peak, p95 / 0.70) + 30 days of growth; after a kill at least 1.5 · the limit then",
        source=RIGHT_SIZING,
    ),
    Method(
        name="Processor limit", meaning="Follows what is usual: too little makes slower and ends nothing",
        formula="max(p95 / 0.60, 1.1 · the busiest five minutes)", source=RIGHT_SIZING,
    ),
    Method(
        name="Confidence", meaning="Three days are the fewest, a week is some, two weeks well measured are many;"
        " after a kill it is low", formula="days, and how much of them was measured", source=RIGHT_SIZING,
    ),
    Method(
        name="A further day goes above", meaning="How likely the highest of n days is not the highest of n + 1",
        formula="1 / (n + 1)", source="S. S. Wilks, Annals of Mathematical Statistics 12 (1941), 91-96",
    ),
    Method(
        name="In band", meaning="How much of the time as much was used as should be: 40 to 60 % of the processors, 50"
        " to 70 % of the memory", formula="slices of five minutes in band / slices with a limit", source=RIGHT_SIZING,
    ),
    Method(
        name="Forecast", meaning="A line that a third of the days cannot bend, with where single days will lie at 95 %",
        formula="median of all slopes between two days, Sen's interval, and how far days lay from the line",
        source="P. K. Sen, Journal of the American Statistical Association 63 (1968), 1379-1389",
    ),
    Method(
        name="Cost of a service", meaning="What it used of the host, and its share of what nobody used",
        formula="price · (cpu share · its core seconds / all + memory share · its byte seconds / all)", source=COST,
    ),
    Method(
        name="Cost of a request", meaning="Everything, by the requests that the service answered which answered most",
        formula="sum of cost / sum of requests, with the interval of a ratio over the days",
        source="W. G. Cochran, Sampling Techniques, 3rd ed. (Wiley 1977), 2.11",
    ),
    Method(
        name="Satisfaction", meaning="Votes are met only where the lower end of their interval is, from 30 votes on",
        formula="(p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n)",
        source="E. B. Wilson, Journal of the American Statistical Association 22 (1927), 209-212",
    ),
    Method(
        name="Hours saved", meaning="An estimate that rests on an assumption, which stands beside it",
        formula="tasks in 30 days · minutes that each would take a person / 60", source=METRICS,
    ),
)  # fmt: skip
