"""What no wait cures is known by the service's words; what a short wait cures is not taken for it."""

from __future__ import annotations

import pytest

from avion_core.descriptions.writers.refusals import no_wait_cures

DAY = (
    "You have exceeded your limit of 200 requests in a 24 hours window. It resets tomorrow.",
    "Rate limit reached for requests per day (RPD): Limit 200, Used 200.",
    "Quota exceeded for metric generate_requests_per_model_per_day",
    "You can make 50 requests a day on the free plan.",
    "Daily token limit reached",
    "Your quota for today is used up",
    "You have used up today's quota.",
    "Usage limit reached: rolling 24h window",
    "24-hour limit exceeded, please slow down",
    "Too many requests in the last 24 hours",
    "Limit reached. Resets at midnight UTC.",
    "Quota will be replenished tomorrow",
    "Please try again tomorrow.",
    "Come back tomorrow for more free generations",
    "Limit of 1,000 tokens per calendar day",
)
LONGER = (
    "Monthly quota of 1,000 requests used up",
    "You have reached your weekly token allowance",
    "10000 requests per month exceeded",
    "Your limit resets on the first of the month",
    "Quota resets next Monday",
    "This month's quota is used up",
    "Limit for this billing period reached",
    "You may make 20 calls a week",
)
HOURS = (
    "Rate limit reached. Please try again in 5h23m.",
    "Limit resets in 13 hours",
    "Retry after 2 hours",
    "Please wait: available again in about 3 hrs",
    "Try again in a few hours",
    "Try again in 2 days",
)
SHORT = (
    "Rate limit reached: 60 requests per minute. Try again in 20s.",
    "Please try again in 6.5s",
    "Resource has been exhausted (e.g. check quota).",
    "Too many requests, slow down",
    "The model is overloaded. Please try again later.",
    "Rate limit of 60 requests per minute reached; support answers within 24 hours.",
    "Limit 30000 tokens per min (TPM), requested 31000, try again in 2m12s",
    "Retry in 45 seconds; your key is valid for 30 days",
    "Try again in 500ms",
    "Concurrency limit reached, wait for another request to end",
    "Quota exceeded for quota metric 'Requests' and limit 'Requests per minute'",
    "holiday mode is off; the weekday scheduler is busy",
)


@pytest.mark.parametrize(
    ("said", "what"),
    [
        *((said, "the writer's quota for the day is used up") for said in DAY),
        *((said, "the writer's quota for the week or month is used up") for said in LONGER),
        *((said, "the writer's quota is used up for hours") for said in HOURS),
        ("You reached your monthly spending cap", "the account's spending limit is reached"),
        ("Your monthly budget has been reached", "the account's spending limit is reached"),
    ],
)
def test_a_quota_of_a_day_or_longer_ends_it(said, what):
    error = no_wait_cures(429, said, key="")
    assert error is not None
    assert error.what == what
    assert said[:60] in str(error)


@pytest.mark.parametrize("said", SHORT)
def test_what_a_short_wait_cures_is_asked_again(said):
    assert no_wait_cures(429, said, key="") is None
    assert no_wait_cures(503, f'{{"error": {{"message": "{said}"}}}}', key="") is None
