"""What is read while the cockpit is open, and what is kept of it."""


def test_only_a_few_runs_are_kept_in_memory(context, ready, world):
    ready(context)
    for number in range(30):
        context.watch.follow(f"student-{number}")
    assert len(context.watch.followers) == 12
