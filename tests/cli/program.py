"""Runs timesink for the tests of this folder."""

import os
import subprocess

TIMESINK = os.environ["TIMESINK"]
SYNTHESIZE = os.environ["SYNTHESIZE"]


def run(*arguments, **more):
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"} | more.pop("environment", {})
    return subprocess.run([TIMESINK, *arguments], env=environment, stdout=more.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE,
                          text=True, timeout=120, **more)


def synthesize(path, seconds=3, rate=50):
    subprocess.run([SYNTHESIZE, path, "--seconds", str(seconds), "--rate", str(rate)], check=True, stdout=subprocess.DEVNULL)
