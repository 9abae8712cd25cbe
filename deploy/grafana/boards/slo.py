"""Are the promises kept? 99.9 % of answers without error, 99 % of the others within 250 ms, in 30 days.

deploy/prometheus/rules/recording.yml computes these numbers, and the alerts use the same ones.
"""

from panels import Row, chart, dashboard, linked_lines, or_zero, stat

# From these burn rates on, an alert calls somebody: see deploy/prometheus/rules/alerts.yml.
pages = {"calls somebody, over 1h": 14.4, "calls somebody, over 6h": 6}
windows = ["5m", "1h", "6h", "3d"]
budgets = {"availability": 0.001, "latency": 0.01}
api = r'$selected, route!~"ops\\..*|unmatched"'
# Recorded numbers are about the whole service and have no instance: see dashboards/.lint.
job = 'job=~"$job"'
firing = 'ALERTS{alertstate="firing"}'
left = [("red", None), ("orange", 0.0), ("green", 0.25)]


def ratio(objective: str, window: str = "30d") -> str:
    """Return the query of the share of requests, 0 to 1, that broke an objective within a window."""
    return f"max(job:slo_{objective}_errors:ratio_rate{window}{{{job}}})"


def budget_left(objective: str) -> str:
    """Return the query of the share of the error budget of 30 days that is left: negative when overspent."""
    return f"1 - {ratio(objective)} / {budgets[objective]}"


def burn_rates(objective: str) -> dict[str, str]:
    """Return the queries of how fast the budget is spent, by window; at 1 it lasts exactly 30 days."""
    rates = {f"over {window}": f"{ratio(objective, window)} / {budgets[objective]}" for window in windows}
    return rates | {legend: f"vector({rate})" for legend, rate in pages.items()}


kept = Row(
    "Are the promises kept?",
    [
        stat(
            "Availability",
            "Share of answers in 30 days that were no 5xx. Promised: 99.9 %.",
            "percentunit",
            f"1 - {ratio('availability')}",
            thresholds=[("red", None), ("green", 0.999)],
            decimals=3,
        ),
        stat(
            "Availability budget left",
            "Share of the errors that 30 days allow which is left. Below 0 the promise is broken.",
            "percentunit",
            budget_left("availability"),
            thresholds=left,
            decimals=1,
        ),
        stat(
            "Latency",
            "Share of the answers in 30 days, 5xx left out, that took less than 250 ms. Promised: 99 %.",
            "percentunit",
            f"1 - {ratio('latency')}",
            thresholds=[("red", None), ("green", 0.99)],
            decimals=2,
        ),
        stat(
            "Latency budget left",
            "Share of the slow answers that 30 days allow which is left.",
            "percentunit",
            budget_left("latency"),
            thresholds=left,
            decimals=1,
        ),
        stat(
            "Failed in 6 hours",
            "Requests answered with 5xx in the last 6 hours.",
            "none",
            f"max(job:slo_availability_errors:increase6h{{{job}}})",
            thresholds=[("green", None), ("orange", 1)],
            decimals=0,
        ),
        stat(
            "Alerts firing",
            "Alerts of all kinds that fire now.",
            "none",
            f"count({firing}) or vector(0)",
            thresholds=[("green", None), ("red", 1)],
        ),
    ],
)

spent = Row(
    "How fast is the budget spent? At 1 it lasts for 30 days, at 14.4 for two",
    [
        chart(
            "Availability: burn rate",
            "Share of answers with 5xx over a window, divided by the 0.1 % that is allowed.",
            "none",
            burn_rates("availability"),
            limits=pages,
            alerts=["AvailabilityBurnsFast", "AvailabilityBurnsSlowly"],
        ),
        chart(
            "Latency: burn rate",
            "Share of answers slower than 250 ms over a window, divided by the 1 % that is allowed.",
            "none",
            burn_rates("latency"),
            limits=pages,
            alerts=["LatencyBurnsFast", "LatencyBurnsSlowly"],
        ),
        chart(
            "Budget left",
            "What is left of the errors and slow answers that 30 days allow. A step down is an incident.",
            "percentunit",
            {objective: budget_left(objective) for objective in budgets},
        ),
    ],
)

spenders = Row(
    "What spends it?",
    [
        chart(
            "Errors by route and status",
            "Requests answered with 5xx: they spend the availability budget.",
            "reqps",
            {
                "{{route}} {{status}}": or_zero(
                    f'sum by (route, status) (rate(http_requests_total{{{api}, status=~"5.."}}[$__rate_interval])) > 0',
                    "route",
                )
            },
        ),
        chart(
            "Slow answers by route",
            "Answers, 5xx left out, that took 250 ms or longer: they spend the latency budget.",
            "reqps",
            {
                "{{route}}": or_zero(
                    "sum by (route) (rate(http_request_duration_seconds_count"
                    f'{{{api}, status_class!="5xx"}}[$__rate_interval]))'
                    " - sum by (route) (rate(http_request_duration_seconds_bucket"
                    f'{{{api}, status_class!="5xx", le="0.25"}}[$__rate_interval]))',
                    "route",
                )
            },
        ),
        linked_lines(
            chart(
                "Alerts firing, by name",
                "Which alert fires since when. A line leads to its section in the runbooks.",
                "none",
                {"{{alertname}} {{severity}}": or_zero(f"count by (alertname, severity) ({firing})", "alertname")},
            )
        ),
    ],
)

slo = dashboard(
    uid="expenses-slo",
    title="Service-level objectives",
    description=__doc__,
    period="7d",
    rows=[kept, spent, spenders],
)
