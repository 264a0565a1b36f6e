"""Real services for tests, demo and benchmarks: each is started on a free port of loopback, waited for, and ended by pid."""
